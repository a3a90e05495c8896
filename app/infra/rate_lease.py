"""Hits taken from a shared window in small lots, so that not each of them is a trip to Redis."""

from dataclasses import dataclass
from threading import Lock
from typing import Final

from cachetools import LRUCache

from app.infra.clock import Clock
from app.infra.rate_limit import RateLimit, Window, Windows

# A lot is this share of the limit: a process may hold back one lot that it does not use, and counts it as used.
LOT_SHARE: Final = 1 / 200
LARGEST_LOT: Final = 32
# A lot is good for so long, so that what an idle process holds back is soon nobody's.
LOT_LIFE_S: Final = 0.2
_MOST_KEYS: Final = 10_000


@dataclass(slots=True)
class _Lot:
    """Hits that were counted and not used yet, and the window as it was when they were taken."""

    left: int
    count: int
    ends_at: float
    window_ends_at: float


class LeasedWindows:
    """The windows of one limit, counted in lots. Greenlets may share it.

    Limits under 400 have lots of one hit, which are exact; above that the sum of all processes' unused lots, half a
    percent each, may be refused too early, and nothing is ever allowed too much.
    """

    def __init__(self, windows: Windows, limit: RateLimit, clock: Clock | None = None) -> None:
        self._windows = windows
        self._limit = limit
        self._clock = clock or Clock()
        self._size = max(1, min(LARGEST_LOT, int(limit.amount * LOT_SHARE)))
        self._lots: LRUCache[str, _Lot] = LRUCache(_MOST_KEYS)
        self._taking = Lock()

    def hit(self, key: str) -> Window:
        """Count one hit; return the window without the hits that are held back here."""
        if self._size == 1:
            return self._windows.add(key, 1, self._limit.window_s)

        lot = self._open_lot(key)
        if lot is None:
            # One at a time: all who found the lot empty would take another, and count hits that nobody makes.
            with self._taking:
                lot = self._open_lot(key) or self._take(key)
        lot.left -= 1
        return Window(lot.count - lot.left, max(0.0, lot.window_ends_at - self._clock.monotonic()))

    def _open_lot(self, key: str) -> _Lot | None:
        lot = self._lots.get(key)
        return lot if lot and lot.left and self._clock.monotonic() < lot.ends_at else None

    def _take(self, key: str) -> _Lot:
        window = self._windows.add(key, self._size, self._limit.window_s)
        now = self._clock.monotonic()
        window_ends_at = now + window.reset_after_s
        ends_at = min(window_ends_at, now + LOT_LIFE_S)
        lot = self._lots[key] = _Lot(self._size, window.count, ends_at, window_ends_at)
        return lot
