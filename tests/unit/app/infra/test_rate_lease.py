"""Lots of hits: how often the shared windows are asked, and that no more is allowed than the limit."""

import random

import gevent
import pytest

from app.infra import rate_lease
from app.infra.rate_lease import ASKING_S, FRESH_S, LARGEST_LOT, LeasedWindows
from app.infra.rate_limit import FallbackWindows, RateLimit, Window
from tests.fakes.clock import FakeClock

LARGE = RateLimit(5000, 1)
PER_HOUR = RateLimit(5000, 3600)
LARGE_LOT = 25


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


def test_lots_double_with_use(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)

    assert [large.hit("a").count for _ in range(100)] == list(range(1, 101))
    assert windows.calls == len((1, 2, 4, 8, 16, LARGE_LOT, LARGE_LOT, LARGE_LOT))


def test_lots_have_a_largest_size(windows: CountedWindows, time: FakeClock) -> None:
    huge = leases(windows, time, RateLimit(10**9, 1))
    for _ in range(2 * LARGEST_LOT + 10 * LARGEST_LOT):
        huge.hit("a")

    assert windows.calls <= len((1, 2, 4, 8, 16)) + 12


def test_a_new_window_begins_with_half_a_lot(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    for _ in range(100):
        large.hit("a")
    time.advance(1.0)
    calls = windows.calls
    counts = [large.hit("a").count for _ in range(LARGE_LOT // 2 + 1)]

    assert counts == list(range(1, LARGE_LOT // 2 + 2))
    assert windows.calls == calls + 2


@pytest.mark.parametrize("limit", [RateLimit(10, 1), RateLimit(399, 1), LARGE, RateLimit(20_000, 1), PER_HOUR])
@pytest.mark.parametrize("evenness", [1, 4])
def test_processes_allow_the_limit_together(
    windows: CountedWindows, time: FakeClock, limit: RateLimit, evenness: int
) -> None:
    processes, chance = [leases(windows, time, limit) for _ in range(8)], random.Random(evenness)
    allowed, hits = 0, int(1.5 * limit.amount)
    for _ in range(hits):
        time.advance(0.9 * limit.window_s / hits)
        allowed += processes[int(8 * chance.random() ** evenness)].hit("a").count <= limit.amount

    assert 0.95 * limit.amount <= allowed <= limit.amount


def test_who_asks_seldom_holds_nothing_back(windows: CountedWindows, time: FakeClock) -> None:
    seldom = leases(windows, time, PER_HOUR)
    for _ in range(500):
        seldom.hit("a")
        time.advance(3.0)

    assert 500 <= windows.add("a", 0, PER_HOUR.window_s).count <= 502


def test_hits_in_pairs_are_counted_as_pairs(windows: CountedWindows, time: FakeClock) -> None:
    pairs = leases(windows, time, PER_HOUR)
    for hit in range(1000):
        pairs.hit("a")
        time.advance(5.0 if hit % 2 else 0.001)

    assert 1000 <= windows.add("a", 0, PER_HOUR.window_s).count <= 1000 + LARGE_LOT


class SlowWindows:
    """Windows that let others come before they answer, as a trip to Redis does."""

    def __init__(self, windows: CountedWindows) -> None:
        self._windows = windows

    def add(self, key: str, hits: int, window_s: int) -> Window:
        window = self._windows.add(key, hits, window_s)
        gevent.sleep(0)
        return window


@pytest.mark.parametrize("before", [0, 1, 31])
def test_of_many_at_once_one_takes_a_lot(windows: CountedWindows, time: FakeClock, before: int) -> None:
    large = LeasedWindows(SlowWindows(windows), LARGE, time.clock())
    for _ in range(before):
        large.hit("a")
    counts = [one.get().count for one in gevent.joinall([gevent.spawn(large.hit, "a") for _ in range(20)])]

    taken = windows.add("a", 0, 1).count
    assert len(set(counts)) == 20
    # One lot, and what is left of the one before when it is time to ask.
    assert before + 20 <= taken <= before + 20 + LARGE_LOT + LARGE_LOT // 4


def test_a_lot_that_never_came_is_asked_for_again(windows: CountedWindows, time: FakeClock) -> None:
    lost = leases(windows, time, PER_HOUR)
    lost.hit("a")
    sizes = [lost.wanted("a").hits for _ in range(3)]
    time.advance(ASKING_S)

    assert sizes == [2, 1, 1]
    assert lost.wanted("a").hits == 2


def test_a_lot_lasts_as_long_as_its_window(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time, PER_HOUR)
    for _ in range(2):
        large.hit("a")
    time.advance(FRESH_S)
    # A hit in place of the one that is counted: the one that was left is still there.
    counts = [large.hit("a").count for _ in range(2)]

    assert counts == [4, 4]
    assert windows.add("a", 0, PER_HOUR.window_s).count == 4


def test_what_others_counted_is_known_a_moment_later(windows: CountedWindows, time: FakeClock) -> None:
    mine, theirs = leases(windows, time, PER_HOUR), leases(windows, time, PER_HOUR)
    mine.hit("a")
    for _ in range(100):
        theirs.hit("a")
    time.advance(FRESH_S)

    assert mine.hit("a").count > 100


def test_over_the_limit_few_ask(windows: CountedWindows, time: FakeClock) -> None:
    small = leases(windows, time, RateLimit(3, 3600))
    counts = [small.hit("a").count for _ in range(1000)]

    assert [count <= 3 for count in counts[:5]] == [True, True, True, False, False]
    assert windows.calls == 3
    time.advance(FRESH_S)
    assert small.hit("a").count > 3
    assert windows.calls == 4


def test_what_is_left_when_the_window_is_full_is_used_up(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    for _ in range(31 + LARGE_LOT):
        large.hit("a")
    windows.add("a", LARGE.amount, 1)
    calls, counts = windows.calls, [large.hit("a").count for _ in range(1000)]

    assert windows.calls <= calls + 2
    assert sum(count <= LARGE.amount for count in counts) <= LARGE_LOT


def test_hits_of_an_ended_window_are_nobodys(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    for _ in range(2):
        large.hit("a")
    late = large.wanted("a")
    time.advance(1.0)

    assert large.hit("a") == Window(1, 1.0)
    large.grant(late, Window(20, 0.0))
    assert large.hit("a").count == 2


def test_an_answer_that_came_late_is_of_use_within_its_window(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    large.hit("a")
    late = large.wanted("a")
    window = windows.add("a", late.hits, 1)
    large.hit("a")
    large.grant(late, window)
    calls = windows.calls

    assert large.hit("a").count <= 5
    assert windows.calls == calls


def test_callers_do_not_share_lots(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    large.hit("a")

    assert large.hit("b").count == 1


def test_the_number_of_callers_that_have_lots_is_bounded(
    windows: CountedWindows, time: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_lease, "MOST_KEYS", 3)
    large = leases(windows, time)
    for _ in range(3):
        counts = [large.hit(f"client-{number}").count for number in range(5)]

    assert counts == [3] * 5
    assert len(large._lots) == 3


def test_window_tells_how_long_it_still_runs(windows: CountedWindows, time: FakeClock) -> None:
    large = leases(windows, time)
    for _ in range(2):
        large.hit("a")
    time.advance(0.1)

    assert large.hit("a").reset_after_s == pytest.approx(0.9)


def test_while_one_asks_for_more_the_others_use_up_the_rest(windows: CountedWindows, time: FakeClock) -> None:
    large = LeasedWindows(SlowWindows(windows), LARGE, time.clock())
    while large.hit("a").count < 31 + LARGE_LOT - LARGE_LOT // 4:
        pass
    calls = windows.calls
    counts = [one.get().count for one in gevent.joinall([gevent.spawn(large.hit, "a") for _ in range(5)])]

    assert windows.calls == calls + 1
    assert len(set(counts)) == 5
