"""Buckets follow the weights, subjects spread over them evenly, and a change moves no more than it must."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.allocation import BUCKETS, BucketTable, Deal, bucket_of, deal, moved, shares

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
WEIGHTS = st.dictionaries(NAMES, st.floats(0.0, 1e9), min_size=1).filter(lambda weights: any(weights.values()))


def counts(dealt: Deal) -> Counter[str]:
    return BucketTable.of(dealt).counts()


@given(WEIGHTS)
def test_all_buckets_are_dealt_by_weight(weights: dict[str, float]) -> None:
    due, total = shares(weights), math.fsum(weights.values())

    assert sum(due.values()) == BUCKETS
    assert due.keys() == weights.keys()
    assert all(abs(due[name] - weight / total * BUCKETS) < 1.001 for name, weight in weights.items())
    assert counts(deal(weights)) == Counter(due)


@given(WEIGHTS, WEIGHTS)
def test_a_change_moves_half_the_sum_of_all_changes_of_shares(
    before: dict[str, float], after: dict[str, float]
) -> None:
    was, due = shares(before), shares(after)
    first = deal(before)
    second = deal(after, first)

    changes = sum(abs(due.get(name, 0) - was.get(name, 0)) for name in {*was, *due})
    assert moved(first, second) * 2 == changes
    assert counts(second) == counts(deal(after))


@given(st.lists(WEIGHTS, min_size=1, max_size=6))
def test_after_any_changes_the_deal_is_as_if_made_at_once(steps: list[dict[str, float]]) -> None:
    dealt: Deal = ()
    for weights in steps:
        dealt = deal(weights, dealt)

    assert counts(dealt) == counts(deal(steps[-1]))
    assert deal(steps[-1], dealt) == dealt


def test_weights_as_large_and_as_small_as_numbers_get_are_shared() -> None:
    assert shares({"a": 1.7e308, "b": 1.7e308}) == {"a": 5000, "b": 5000}
    assert shares({"a": 5e-324, "b": 5e-324, "c": 0.0}) == {"a": 5000, "b": 5000, "c": 0}
    assert shares({"a": 1, "b": 1, "c": 1}) == {"a": 3334, "b": 3333, "c": 3333}


@given(WEIGHTS, st.lists(WEIGHTS, max_size=3), st.integers(0, BUCKETS - 1))
def test_the_table_finds_whose_a_bucket_is(
    weights: dict[str, float], more: list[dict[str, float]], bucket: int
) -> None:
    dealt = deal(weights)
    for changed in more:
        dealt = deal(changed, dealt)
    spread = [name for name, count in dealt for _ in range(count)]

    assert BucketTable.of(dealt).variant(bucket) == spread[bucket]


def test_a_subject_stays_in_its_bucket_and_another_salt_shuffles_all() -> None:
    subjects = [f"user-{number}" for number in range(2000)]

    assert [bucket_of("s", subject) for subject in subjects] == [bucket_of("s", subject) for subject in subjects]
    same = sum(bucket_of("s", subject) == bucket_of("t", subject) for subject in subjects)
    assert same < 10


def test_the_bucket_of_a_subject_is_the_same_in_every_release() -> None:
    # As `printf 'salt\\0user-1' | b2sum -l 64` has it, modulo 10 000.
    assert (bucket_of("salt", "user-1"), bucket_of("salt", "Zoë")) == (2683, 5936)


def test_salt_and_subject_are_kept_apart() -> None:
    assert bucket_of("ab", "c") != bucket_of("a", "bc")


@pytest.mark.parametrize("pattern", ["user-{}", "{}", "{:08d}", "account/{}/x"])
def test_subjects_spread_evenly(pattern: str) -> None:
    tenths = Counter(bucket_of("salt", pattern.format(number)) * 10 // BUCKETS for number in range(20_000))

    # Each expects 2000 ± 42; six times that is one in a billion.
    assert all(abs(tenths[tenth] - 2000) < 6 * 43 for tenth in range(10))
