"""Hits taken from a shared window in small lots, so that not each of them is a trip to Redis."""

from dataclasses import dataclass
from typing import Final

from app.infra.clock import Clock
from app.infra.rate_limit import LotRequest, RateLimit, Window, Windows

# A lot is this share of the limit at most: so much a process may hold back that it does not use before the window ends.
LOT_SHARE: Final = 1 / 200
LARGEST_LOT: Final = 32
# What others counted is known for so long before it is asked for again.
FRESH_S: Final = 1.0
# So long a lot may be under way before another is asked for in its place.
ASKING_S: Final = 1.0
# The end of one window, as told by two answers, differs by less: by the time that they took.
_SAME_END_S: Final = 0.5
MOST_KEYS: Final = 10_000


@dataclass(slots=True)
class _Lot:
    """Hits that were counted and not used yet, the last of which was number `last` of its window.

    `count` is what the window held at `asked_at`, `size` how many hits were asked for at once.
    """

    left: int
    last: int
    size: int
    count: int
    asked_at: float
    ends_at: float
    asking_until: float = float("-inf")

    @property
    def low(self) -> int:
        """How many hits are left when it is time to ask for more: none of a small lot."""
        return self.size // 4


class LeasedWindows:
    """The windows of one limit, counted in lots. Greenlets may share it: only `hit` waits, for `windows`.

    A lot is one hit at first and doubles with each that is used up, so that who asks seldom holds nothing back. Limits
    under 400 have lots of one. Nothing is ever allowed too much; refused too early is what other processes took and
    then did not use, half a percent of the limit each at most.
    """

    def __init__(self, windows: Windows, limit: RateLimit, clock: Clock | None = None) -> None:
        self._windows = windows
        self._limit = limit
        self._clock = clock or Clock()
        self._largest = max(1, min(LARGEST_LOT, int(limit.amount * LOT_SHARE)))
        self._lots: dict[str, _Lot] = {}

    def hit(self, key: str) -> Window:
        """Count one hit; return the window without the hits that are held back here."""
        window = self.take(key)
        if window is not None:
            return window

        asked = self.wanted(key)
        return self.grant(asked, self._windows.add(key, asked.hits, asked.window_s))

    def take(self, key: str) -> Window | None:
        """Count one hit if that takes no trip: out of a lot, or because the window is known to be over its limit."""
        lot = self._lots.get(key)
        now = self._clock.monotonic()
        if lot is None or now >= lot.ends_at or now >= lot.asked_at + FRESH_S:
            return None

        amount = self._limit.amount
        if lot.left and lot.left == lot.low and now >= lot.asking_until and lot.count < amount:
            # Time for another lot. The others use up the rest while this one asks.
            return None
        if lot.left:
            number = lot.last - lot.left + 1
            lot.left -= 1
            # The hit is good by its number, and what others counted meanwhile is told with it.
            return Window(max(number, min(lot.count - lot.left, amount)), lot.ends_at - now)

        return Window(lot.count + 1, lot.ends_at - now) if lot.count >= amount else None

    def wanted(self, key: str) -> LotRequest:
        """Return what to count where `take` returned None; hand it to `grant` with what that said.

        Of many who ask at once one gets a lot. The others count themselves alone: more lots would be held back, and
        to wait for the first would take as long as a trip of their own.
        """
        now = self._clock.monotonic()
        lot = self._lots.get(key)
        hits = 1 if lot is None or now < lot.asking_until else self._next_size(lot, now)
        if lot is not None and hits > 1:
            lot.asking_until = now + ASKING_S
        return LotRequest(key, hits, self._limit.window_s, now)

    def grant(self, asked: LotRequest, window: Window) -> Window:
        """Take over what was counted, the first hit of which is the asker's own; return the window as of that hit."""
        ends_at = asked.asked_at + window.reset_after_s
        lot = self._lots.get(asked.key)
        number = window.count - asked.hits + 1
        if lot is not None and abs(lot.ends_at - ends_at) < _SAME_END_S:
            _join(lot, asked, window)
            if asked.hits > 1:
                # The asker goes first: its number is that of the first hit which is left.
                number = lot.last - lot.left
        elif lot is None or asked.asked_at >= lot.asked_at:
            self._keep(asked.key, _begin(lot, asked, window))
        # Else it is of a window that is over: the rest of it is nobody's.
        return Window(number, window.reset_after_s)

    def _keep(self, key: str, lot: _Lot) -> None:
        self._lots[key] = lot
        if len(self._lots) > MOST_KEYS:
            # The oldest key makes way. If it is still in use, a lot is lost at most.
            del self._lots[next(iter(self._lots))]

    def _next_size(self, lot: _Lot, now: float) -> int:
        if now >= lot.ends_at:
            return max(1, lot.size // 2)
        if lot.left > lot.low or lot.count >= self._limit.amount:
            # Only to learn what others counted.
            return 1

        return min(2 * lot.size, self._largest)


def _begin(before: _Lot | None, asked: LotRequest, window: Window) -> _Lot:
    """Return the first lot of a window."""
    lot = _Lot(
        left=asked.hits - 1,
        last=window.count,
        size=asked.hits,
        count=window.count,
        asked_at=asked.asked_at,
        ends_at=asked.asked_at + window.reset_after_s,
    )
    if before is not None and asked.hits == 1:
        # Another asks for a lot at present.
        lot.size = max(1, before.size // 2)
        lot.asking_until = before.asking_until
    return lot


def _join(lot: _Lot, asked: LotRequest, window: Window) -> None:
    """Add hits of the same window to those left."""
    lot.count = max(lot.count, window.count)
    lot.asked_at = max(lot.asked_at, asked.asked_at)
    if asked.hits > 1:
        # Numbered as if those left had come with them, each too high if at all.
        lot.left += asked.hits - 1
        lot.last = max(lot.last, window.count)
        lot.size = asked.hits
        lot.asking_until = float("-inf")
