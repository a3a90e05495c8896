"""Hits counted here at once, and told to the shared window some dozens of times a second: nobody waits for Redis."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import gevent

from app.infra.clock import Clock
from app.infra.rate_limit import RateLimit, Window, Windows

# So long the others do not know of a hit: of a limit per second each process may let pass this share too much.
TELL_S: Final = 0.025
MOST_KEYS: Final = 10_000


@dataclass(slots=True)
class _Tally:
    """A window as it was last heard of, and what was counted here since."""

    ends_at: float
    count: int = 0
    untold: int = 0
    is_telling: bool = False


class TalliedWindows:
    """The windows of one limit with very many hits. Greenlets may share it: only the telling waits, in one of its own.

    What the other processes count is known TELL_S later, and the trip to Redis besides; what they let pass in that
    time is let pass too much. Who is over the limit is counted no further.
    """

    def __init__(
        self,
        windows: Windows,
        limit: RateLimit,
        *,
        clock: Clock | None = None,
        spawn_later: Callable[..., Any] = gevent.spawn_later,
    ) -> None:
        self._windows = windows
        self._limit = limit
        self._clock = clock or Clock()
        self._spawn_later = spawn_later
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    def hit(self, key: str) -> Window:
        """Count one hit; return the window as far as it is known here."""
        now = self._clock.monotonic()
        tally = self._tallies.get(key)
        if tally is None or now >= tally.ends_at:
            tally = self._begin(key, now)
        if tally.count + tally.untold <= self._limit.amount:
            tally.untold += 1
            self._tell_soon(key, tally)
        return Window(tally.count + tally.untold, tally.ends_at - now)

    def _begin(self, key: str, now: float) -> _Tally:
        """Return an empty window. What was not told of the one before is let go with it."""
        tally = self._tallies[key] = _Tally(now + self._limit.window_s)
        self._tallies.move_to_end(key)
        if len(self._tallies) > MOST_KEYS:
            self._tallies.popitem(last=False)
        return tally

    def _tell_soon(self, key: str, tally: _Tally) -> None:
        if not tally.is_telling:
            tally.is_telling = True
            # Of a window that has just begun it is not known yet what the others have counted.
            self._spawn_later(TELL_S if tally.count else 0, self._tell, key, tally)

    def _tell(self, key: str, tally: _Tally) -> None:
        told, asked_at = tally.untold, self._clock.monotonic()
        try:
            window = self._windows.add(key, told, self._limit.window_s)
        finally:
            tally.is_telling = False
        tally.untold -= told
        tally.count, tally.ends_at = window.count, asked_at + window.reset_after_s
