"""One question at a time: of all who ask the same at once, one asks and the others wait for what it gets."""

from gevent.event import Event

from app.inference.cache import Kept


class Flight:
    """One question under way, as those see it who wait for its answer."""

    __slots__ = ("_is_over", "_kept", "_waited_for")

    def __init__(self) -> None:
        self._is_over = False
        self._kept: Kept | None = None
        # Made by the first who waits: most flights have no followers.
        self._waited_for: Event | None = None

    def wait(self, limit_s: float) -> bool:
        """Block until the flight is over, `limit_s` seconds at most; return whether it is."""
        if self._is_over:
            return True

        self._waited_for = self._waited_for or Event()
        return bool(self._waited_for.wait(limit_s))

    @property
    def kept(self) -> Kept | None:
        """What it brought; None while it is under way, and where it brought nothing."""
        return self._kept

    def land(self, kept: Kept | None) -> None:
        """End it, and wake who waits."""
        self._kept, self._is_over = kept, True
        if self._waited_for is not None:
            self._waited_for.set()


class SingleFlight:
    """The questions under way in one process, by key. Greenlets of one hub share it.

    Only answers are shared. Why somebody got none is that one's own affair: a deadline, a full queue, a kill.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def board(self, key: bytes) -> Flight | None:
        """Return the flight of a key to wait for; None makes the caller its leader, who has to `land` it at last."""
        flight = self._flights.get(key)
        if flight is None:
            self._flights[key] = Flight()
        return flight

    def land(self, key: bytes, kept: Kept | None) -> None:
        """End the flight of a key with what it brought. Only its leader may, and only once."""
        self._flights.pop(key).land(kept)
