"""Each hot request is counted once, in a trip that it makes anyway where there is one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.errors import RateLimited
from app.infra.hot_read import HotRead
from app.infra.rate_limit import FallbackWindows, LotRequest, Window
from app.web.fast_path.toll import Toll
from app.web.limits import Limits
from tests.factories.settings import make_settings

CALLER = "checkout"


class Trips(HotRead):
    """Remembers each trip: how many hits were counted, and which keys read. Each key holds its own name."""

    def __init__(self) -> None:
        super().__init__(None, FallbackWindows(None))
        self.made: list[tuple[int, tuple[str, ...]]] = []

    def run(self, lot: LotRequest | None, keys: Sequence[str]) -> tuple[Window | None, Sequence[bytes | None]]:
        """Go."""
        self.made.append((lot.hits if lot else 0, tuple(keys)))
        window, _ = super().run(lot, keys)
        return window, [key.encode() for key in keys]


def make_limits(folder: Path, limit: str) -> tuple[Limits, Trips]:
    """Return limits of inference, and the trips that will be made for them."""
    limits, trips = Limits(make_settings(folder, limit_inference=limit), None), Trips()
    limits.hot_read = trips
    return limits, trips


def test_one_that_reads_is_counted_with_it(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "5/hour")
    toll = Toll(limits, CALLER)

    toll.begin()
    assert (trips.made, toll.standing) == ([], None)
    assert toll.read(["a", "b"]) == [b"a", b"b"]
    toll.settle()

    assert trips.made == [(1, ("a", "b"))]
    assert toll.standing is not None
    assert (toll.standing.amount, toll.standing.remaining) == (5, 4)


def test_one_that_will_not_read_is_counted_first(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "5/hour")
    toll = Toll(limits, CALLER)

    toll.begin()
    toll.settle()
    assert toll.read(["a"]) == [b"a"]
    toll.settle()

    assert trips.made == [(1, ()), (0, ("a",))]


def test_one_that_never_read_is_counted_at_last(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "5/hour")
    toll = Toll(limits, CALLER)

    toll.begin()
    toll.settle()
    toll.settle()

    assert trips.made == [(1, ())]


def test_a_lot_at_hand_takes_no_trip(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "100000/hour")
    for _ in range(200):
        toll = Toll(limits, CALLER)
        toll.begin()
        toll.settle()

    assert sum(hits for hits, _ in trips.made) >= 200
    assert len(trips.made) < 40
    assert toll.standing is not None
    assert 100_000 - 200 - 32 <= toll.standing.remaining <= 100_000 - 200


@pytest.mark.parametrize("is_read", [True, False])
def test_over_the_limit_is_refused_whenever_that_is_found_out(tmp_path: Path, is_read: bool) -> None:
    limits, _ = make_limits(tmp_path, "1/hour")
    limits.hot_read.run(LotRequest(f"inference:{CALLER}", 1, 3600, 0.0), ())
    toll = Toll(limits, CALLER)
    toll.begin()

    with pytest.raises(RateLimited) as caught:
        toll.read(["a"]) if is_read else toll.settle()

    assert caught.value.retry_after_s > 3000
    assert toll.standing is not None
    assert toll.standing.remaining == 0
    # Told once: what is left to do goes on without it.
    toll.settle()


def test_a_caller_known_to_be_over_makes_no_trip(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "1/hour")
    Toll(limits, CALLER).settle()

    with pytest.raises(RateLimited):
        Toll(limits, CALLER).begin()

    assert len(trips.made) == 1


def test_one_that_waited_takes_from_what_others_brought(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "100000/hour")
    waiting = Toll(limits, CALLER)
    waiting.begin()
    for _ in range(8):
        Toll(limits, CALLER).settle()
    made = len(trips.made)
    waiting.settle()

    assert len(trips.made) == made
    assert waiting.standing is not None


def test_one_that_waited_hears_that_the_limit_is_used_up(tmp_path: Path) -> None:
    limits, trips = make_limits(tmp_path, "1/hour")
    waiting = Toll(limits, CALLER)
    waiting.begin()
    Toll(limits, CALLER).settle()

    with pytest.raises(RateLimited):
        waiting.read(["a"])
    assert len(trips.made) == 1
