"""Lots of hits: how often the shared windows are asked, and that no more is allowed than the limit."""

import gevent
import gevent.lock
import pytest

from app.infra import rate_lease
from app.infra.rate_lease import LARGEST_LOT, LOT_LIFE_S, LeasedWindows
from app.infra.rate_limit import FallbackWindows, RateLimit, Window
from tests.fakes.clock import FakeClock

LARGE = RateLimit(5000, 1)


class CountedWindows(FallbackWindows):
    """Windows of this process that count how often they are asked."""

    calls = 0

    def add(self, key: str, hits: int, window_s: int) -> Window:
        self.calls += 1
        return super().add(key, hits, window_s)


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def windows(time: FakeClock) -> CountedWindows:
    return CountedWindows(None, time.clock())


def leases(windows: CountedWindows, time: FakeClock, limit: RateLimit = LARGE) -> LeasedWindows:
    return LeasedWindows(windows, limit, time.clock())


def test_small_limits_are_counted_hit_by_hit(windows: CountedWindows, time: FakeClock) -> None:
    small = leases(windows, time, RateLimit(399, 1))

    assert [small.hit("a").count for _ in range(4)] == [1, 2, 3, 4]
    assert windows.calls == 4


def test_large_limits_ask_once_per_lot(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)

    assert [large.hit("a").count for _ in range(100)] == list(range(1, 101))
    assert windows.calls == 100 / 25


def test_lots_have_a_largest_size(windows: CountedWindows, time: FakeClock) -> None:
    huge = leases(windows, time, RateLimit(10**9, 1))
    for _ in range(10 * LARGEST_LOT):
        huge.hit("a")

    assert windows.calls == 10


def test_two_processes_allow_no_more_than_the_limit(windows: CountedWindows, time: FakeClock) -> None:
    processes = [leases(windows, time) for _ in range(2)]
    allowed = sum(processes[turn % 2].hit("a").count <= LARGE.amount for turn in range(6000))

    assert 0.95 * LARGE.amount <= allowed <= LARGE.amount


class SlowWindows:
    """Windows that let others come before they answer, as a trip to Redis does."""

    def __init__(self, windows: CountedWindows) -> None:
        self._windows = windows

    def add(self, key: str, hits: int, window_s: int) -> Window:
        gevent.sleep(0)
        return self._windows.add(key, hits, window_s)


def test_callers_at_once_share_a_lot(windows: CountedWindows, time: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a web worker, where gevent has patched it.
    monkeypatch.setattr(rate_lease, "Lock", gevent.lock.RLock)
    large = LeasedWindows(SlowWindows(windows), LARGE, time.clock())
    counts = [one.get().count for one in gevent.joinall([gevent.spawn(large.hit, "a") for _ in range(20)])]

    assert counts == list(range(1, 21))
    assert windows.calls == 1


def test_what_is_left_of_an_old_lot_is_dropped(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    large.hit("a")
    time.advance(LOT_LIFE_S)

    assert large.hit("a").count == 26
    assert windows.calls == 2


def test_lot_ends_with_its_window(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    time.advance(0.9)
    large.hit("a")
    time.advance(1.0)

    assert large.hit("a") == Window(1, 1.0)


def test_callers_do_not_share_lots(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    large.hit("a")

    assert large.hit("b").count == 1


def test_window_tells_how_long_it_still_runs(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    large.hit("a")
    time.advance(0.1)

    assert large.hit("a").reset_after_s == pytest.approx(0.9)
