"""Hits are counted at once; the others learn of them a moment later, in few trips."""

from collections.abc import Callable
from typing import Any

import pytest

from app.infra import rate_tally
from app.infra.rate_limit import MemoryWindows, RateLimit, Window
from app.infra.rate_tally import TELL_S, TalliedWindows
from tests.fakes.clock import FakeClock

LIMIT = RateLimit(10, 1)


class Later:
    """Does what is put off when told to."""

    def __init__(self) -> None:
        self.put_off: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def __call__(self, seconds: float, work: Callable[..., None], *arguments: Any) -> None:
        self.put_off.append((seconds, work, arguments))

    def run(self) -> int:
        """Do all of it; return how much it was."""
        due, self.put_off = self.put_off, []
        for _, work, arguments in due:
            work(*arguments)
        return len(due)


class Shared(MemoryWindows):
    """Windows that count how often they are asked."""

    trips = 0

    def add(self, key: str, hits: int, window_s: int) -> Window:
        self.trips += 1
        return super().add(key, hits, window_s)


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shared(time: FakeClock) -> Shared:
    return Shared(time.clock())


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def windows(shared: Shared, time: FakeClock, later: Later) -> TalliedWindows:
    return TalliedWindows(shared, LIMIT, clock=time.clock(), spawn_later=later)


def test_hits_are_counted_without_a_trip(windows: TalliedWindows, shared: Shared) -> None:
    assert [windows.hit("a").count for _ in range(5)] == [1, 2, 3, 4, 5]
    assert shared.trips == 0


def test_many_hits_are_told_in_one_trip(windows: TalliedWindows, shared: Shared, later: Later) -> None:
    for _ in range(5):
        windows.hit("a")

    assert (later.run(), shared.trips) == (1, 1)
    assert shared.add("a", 0, 1).count == 5


def test_what_others_counted_is_known_from_then_on(windows: TalliedWindows, shared: Shared, later: Later) -> None:
    shared.add("a", 4, 1)
    assert windows.hit("a").count == 1
    later.run()

    assert windows.hit("a").count == 6


def test_the_first_hit_is_told_at_once_and_later_ones_together(windows: TalliedWindows, later: Later) -> None:
    windows.hit("a")
    assert later.put_off[0][0] == 0
    later.run()
    windows.hit("a")

    assert later.put_off[0][0] == TELL_S


def test_who_is_over_is_counted_no_further(windows: TalliedWindows, shared: Shared, later: Later) -> None:
    counts = [windows.hit("a").count for _ in range(30)]
    later.run()

    assert max(counts) == LIMIT.amount + 1
    assert shared.add("a", 0, 1).count == LIMIT.amount + 1
    assert (windows.hit("a").count, later.run()) == (LIMIT.amount + 1, 0)


def test_a_new_window_begins_when_the_shared_one_ends(
    windows: TalliedWindows, shared: Shared, time: FakeClock, later: Later
) -> None:
    shared.add("a", 10, 1)
    time.advance(0.6)
    windows.hit("a")
    later.run()
    assert windows.hit("a").count > LIMIT.amount
    time.advance(0.5)

    assert windows.hit("a").count == 1


def test_hits_that_come_while_it_is_told_are_kept(time: FakeClock, later: Later) -> None:
    class Slow(Shared):
        def add(self, key: str, hits: int, window_s: int) -> Window:
            tallied.hit(key)
            return super().add(key, hits, window_s)

    tallied = TalliedWindows(Slow(time.clock()), LIMIT, clock=time.clock(), spawn_later=later)
    tallied.hit("a")
    later.run()

    assert tallied.hit("a").count == 3


def test_the_oldest_key_makes_way(windows: TalliedWindows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_tally, "MOST_KEYS", 2)
    for key in ("a", "a", "b", "c"):
        windows.hit(key)

    assert (windows.hit("a").count, windows.hit("c").count) == (1, 2)
