"""Whether a web worker takes a request: before its body is read, by how many it serves and for whom."""

from typing import Final

from app.errors import QueueFull, ShareExceeded
from app.inference.fair_share import RESERVE, Claim, no_room
from app.inference.turns import Turns
from app.infra.metrics import REFUSED

# How fast the measured time between two ends follows the newest.
_FOLLOW: Final = 0.05
_ENDLESS: Final = float("inf")


class Admission:
    """The places of one web worker. For one gevent hub: plain counters, and nothing here waits.

    `limit` requests are in service at most, and a line of `longest_wait_s` waits for its turn. As much again is kept
    for clients that have few: theirs do not wait for the whole line, only for as few of each other's. `enter`, then
    `leave` in every case; `turns.wait()` in between, before anything that costs.
    """

    def __init__(self, *, limit: int, longest_wait_s: float, turns: Turns) -> None:
        self.turns = turns
        self._limit = limit
        self._longest_wait_s = longest_wait_s
        self._held: dict[str, int] = {}
        self._total = 0
        self._left_at = 0.0
        self._interval_s = 0.0

    @property
    def in_service(self) -> int:
        """Requests that entered and have not left."""
        return self._total

    def enter(self, client_id: str, now: float, *, left_s: float = _ENDLESS) -> None:
        """Give a client's request, which has `left_s` seconds, a place at `now` (monotonic seconds).

        :raises ShareExceeded: when the client holds more than its share, and others are served.
        :raises QueueFull: when there is no room for anybody, or too much ahead of it to make the deadline.
        """
        held = self._held.get(client_id, 0)
        wait_s = self.turns.wait_s_of(client_id)
        if self._total >= self._limit or self.turns.wait_s >= self._longest_wait_s:
            self._check(Claim(held, 1, self._total, len(self._held) + (held == 0)), wait_s, now)

        late_s = wait_s - left_s
        if late_s > 0:
            raise _counted(no_room("The server is too busy to answer before the deadline.", late_s, is_own=False))

        if not self._total:
            # What went before was idleness, not service.
            self._left_at = now
        self._held[client_id] = held + 1
        self._total += 1

    def leave(self, client_id: str, now: float) -> None:
        """Take back the place of a request that is answered."""
        held = self._held[client_id] - 1
        if held:
            self._held[client_id] = held
        else:
            del self._held[client_id]
        self._total -= 1
        self._interval_s += _FOLLOW * (now - self._left_at - self._interval_s)
        self._left_at = now

    def _check(self, claim: Claim, wait_s: float, now: float) -> None:
        # With the hub behind, the room is what it serves at present.
        room = min(self._limit, self._total)
        if wait_s < RESERVE * self._longest_wait_s and claim.fits(room):
            return

        # Places become free one by one; if none has for long, that is what is known.
        retry_after_s = max(self._interval_s, now - self._left_at)
        detail = "The server has no room for another request."
        raise _counted(no_room(detail, retry_after_s, is_own=claim.is_own_excess))


def _counted(refusal: QueueFull | ShareExceeded) -> QueueFull | ShareExceeded:
    REFUSED.labels(place="worker", code=refusal.code).inc()
    return refusal
