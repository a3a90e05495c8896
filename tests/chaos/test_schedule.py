"""The same seed deals the same blows, and leaves none out."""

from collections import Counter
from itertools import islice

import pytest

from tests.chaos.blows import BLOWS
from tests.chaos.schedule import AT_ONCE, Planned, rounds

NAMES = sorted(BLOWS)


def dealt(seed: int, count: int) -> list[Planned]:
    blows = (blow for round_ in rounds(NAMES, seed) for blow in round_.blows)
    return list(islice(blows, count))


def test_a_seed_deals_the_same_and_another_something_else() -> None:
    assert dealt(7, 200) == dealt(7, 200)
    assert [blow.name for blow in dealt(7, 200)] != [blow.name for blow in dealt(8, 200)]


@pytest.mark.parametrize("seed", range(5))
def test_each_blow_has_its_turn(seed: int) -> None:
    counts = Counter(blow.name for blow in dealt(seed, 10 * len(NAMES)))

    assert counts.keys() == set(NAMES)
    assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_ten_minutes_are_enough_for_each_blow(seed: int) -> None:
    # On two cores a round takes 35 s, most of it until everything is back.
    names = {blow.name for round_ in islice(rounds(NAMES, seed), 600 // 35) for blow in round_.blows}

    assert names == set(NAMES)


@pytest.mark.parametrize("seed", range(5))
def test_rounds_have_no_blow_twice_and_a_calm_behind_them(seed: int) -> None:
    for round_ in islice(rounds(NAMES, seed), 200):
        names = [blow.name for blow in round_.blows]
        assert len(set(names)) == len(names) <= max(AT_ONCE)
        assert round_.blows[0].after_s == 0
        assert round_.calm_s > 1
