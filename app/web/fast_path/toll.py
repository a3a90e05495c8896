"""What a request takes from its caller's limit: out of a lot at hand, else in the one trip to Redis it makes anyway."""

from collections.abc import Sequence

from app.infra.rate_limit import Window
from app.web.limits import LimitClass, Limits, Standing, inference_key


class Toll:
    """One request of one caller. It is counted once: at `begin`, with the cache's `read`, or alone at `settle`."""

    def __init__(self, limits: Limits, client_id: str) -> None:
        self.standing: Standing | None = None
        self._limits = limits
        self._key = inference_key(client_id)

    def begin(self) -> None:
        """Count the request if that takes no trip: there may be one to come that it can be counted with.

        :raises RateLimited: when the caller is over its limit.
        """
        # Asked again after a wait: others may have brought a lot, or word that the limit is used up.
        window = self._limits.leases.take(self._key) if self.standing is None else None
        if window is not None:
            self._stand(window)

    def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Read `keys` of the cache that processes share, and count the request in the same trip unless it is counted.

        :raises RateLimited: when the caller is over its limit.
        """
        self.begin()
        if self.standing is not None:
            return self._limits.hot_read.run(None, keys)[1]

        return self._trip(keys)

    def settle(self) -> None:
        """Count the request, if nothing has yet.

        :raises RateLimited: when the caller is over its limit.
        """
        self.begin()
        if self.standing is None:
            self._trip(())

    def _trip(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        leases = self._limits.leases
        asked = leases.wanted(self._key)
        window, values = self._limits.hot_read.run(asked, keys)
        # Asked to count, it always says where that led.
        assert window is not None
        self._stand(leases.grant(asked, window))
        return values

    def _stand(self, window: Window) -> None:
        self.standing = self._limits.inference_standing(window)
        if self.standing.is_over:
            raise self.standing.refusal(LimitClass.INFERENCE)
