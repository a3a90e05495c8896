"""The made-up set is plausible: a long tail that moves with time, and tastes."""

import numpy as np
import pytest

from tests.factories.ratings import TINY_WORLD
from workers.training.recommender_ratings import Ratings
from workers.training.recommender_simulation import World, simulate


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return simulate(World(), seed=0)


def test_all_users_and_items_are_there(ratings: Ratings) -> None:
    assert ratings.user_ids.tolist() == list(range(1, 10_001))
    assert ratings.item_ids.tolist() == list(range(1, 5_001))
    assert sorted(ratings.titles) == list(range(1, 5_001))
    assert len(set(ratings.titles.values())) == 5_000


def test_few_items_have_most_of_the_ratings(ratings: Ratings) -> None:
    counts = np.sort(np.bincount(ratings.items))[::-1]

    assert counts[:500].sum() > 0.4 * len(ratings)
    assert counts[0] > 20 * np.median(counts)


def test_what_is_popular_changes(ratings: Ratings) -> None:
    tenth = len(ratings) // 10
    first, last = (np.bincount(ratings.items[part], minlength=5_000) for part in (slice(tenth), slice(-tenth, None)))
    best_then, best_now = (set(np.argsort(-counts)[:100].tolist()) for counts in (first, last))

    assert len(best_then & best_now) < 40


def test_the_same_seed_makes_the_same_world() -> None:
    first, again, other = (simulate(TINY_WORLD, seed=seed) for seed in (1, 1, 2))

    assert first.titles == again.titles
    assert np.array_equal(first.items, again.items)
    assert not np.array_equal(first.items, other.items[: len(first)])
