"""Windows against plain counting: what is in them, at their edges too, in whatever order events come."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scenarios.fraud_windows import MOST_COUNTED, MOST_SUMMED, WINDOWS, Seen, Tally, Window

MINUTE, LONGEST = WINDOWS[0], WINDOWS[-1]


def tallied(window: Window, events: list[tuple[int, int]]) -> Tally:
    """Return the window after events of a second and cents each."""
    tally, newest = Tally(), 0
    for second, cents in events:
        newest = max(newest, second)
        tally.add(second // window.bucket_s, cents, first_bucket=window.first_bucket(newest))
    return tally


def met(events: list[tuple[int, int]], most: int) -> Seen:
    """Return who is known after events of a key and a second each, within a hundred seconds."""
    seen, newest = Seen(), 0
    for key, second in events:
        newest = max(newest, second)
        seen.meet(key, second, most=most)
        seen.forget_before(newest - 100)
    return seen


def test_windows_are_as_long_as_they_are_called() -> None:
    lengths = {window.name: window.bucket_s * window.buckets for window in WINDOWS}

    assert lengths == {"1m": 60, "1h": 3600, "24h": 86_400, "7d": 604_800}


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name)
def test_an_event_leaves_with_its_bucket(window: Window) -> None:
    start = window.bucket_s * 1000
    last = start + window.bucket_s * window.buckets - 1

    assert tallied(window, [(start, 5), (last, 7)]).count == 2
    assert tallied(window, [(start, 5), (last + 1, 7)]) == Tally([(last + 1) // window.bucket_s], [1], [7])
    assert window.start_s(last) == start


def test_an_event_from_before_the_window_is_not_counted() -> None:
    assert tallied(MINUTE, [(1000, 5), (930, 7)]).total_cents == 5


SECONDS = st.integers(10_000, 11_000)
PAID = st.lists(st.tuples(SECONDS, st.integers(0, 10**11)), min_size=1, max_size=60)


@given(PAID, st.randoms(use_true_random=False), st.sampled_from(WINDOWS))
def test_windows_count_what_is_in_their_buckets_in_any_order(paid, random, window) -> None:  # type: ignore[no-untyped-def]
    first = window.first_bucket(max(second for second, _ in paid))
    inside = [(second // window.bucket_s, cents) for second, cents in paid if second // window.bucket_s >= first]
    random.shuffle(paid)
    tally = tallied(window, paid)

    counts = Counter(bucket for bucket, _ in inside)
    assert dict(zip(tally.buckets, tally.counts, strict=True)) == counts
    assert tally.buckets == sorted(counts)
    assert (tally.count, tally.total_cents) == (len(inside), sum(cents for _, cents in inside))


@given(st.lists(st.tuples(st.integers(0, 12), SECONDS), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_the_latest_met_are_known_in_any_order(events, random) -> None:  # type: ignore[no-untyped-def]
    last: dict[int, int] = {}
    for key, second in events:
        last[key] = max(second, last.get(key, 0))
    newest = max(last.values())
    alive = sorted((second, key) for key, second in last.items() if second >= newest - 100)
    random.shuffle(events)
    seen = met(events, most=8)

    assert list(zip(seen.seconds, seen.keys, strict=True)) == alive[-8:]
    for start in range(newest - 100, newest, 9):
        assert seen.since(start) == min(8, sum(second >= start for second, _ in alive))


def test_who_was_met_before_is_new_again() -> None:
    seen = Seen()

    assert [seen.meet(key, second, most=2) for key, second in [(1, 50), (2, 90), (1, 40), (3, 70)]] == [
        True, True, False, True,
    ]  # fmt: skip
    assert seen == Seen([3, 2], [70, 90])
    seen.forget_before(71)
    assert seen == Seen([2], [90])
    assert seen.meet(3, 95, most=2)


def test_numbers_do_not_outgrow_their_bytes() -> None:
    full = Tally([5], [MOST_COUNTED], [MOST_SUMMED])
    full.add(5, 10**11, first_bucket=0)

    assert full == Tally([5], [MOST_COUNTED], [MOST_SUMMED])
