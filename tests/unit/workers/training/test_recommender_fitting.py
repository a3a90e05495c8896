"""The grid finds what was put into the ratings: how fast they age, and whether tastes differ."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from threadpoolctl import threadpool_limits

from tests.factories.ratings import TINY_WORLD
from workers.training.recommender_evaluation import Quality, Split, walk
from workers.training.recommender_fitting import Choice, Walk, choose, measure
from workers.training.recommender_ratings import Ratings
from workers.training.recommender_simulation import simulate
from workers.training.recommender_training import popularity_model

WORLD = replace(TINY_WORLD, users=300, items=200, events=6000)


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep threads from waiting for each other over so small matrices."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    return simulate(WORLD, seed=2)


@pytest.fixture(scope="module")
def choice(ratings: Ratings) -> Choice:
    return choose(ratings, Split.of(ratings), seed=0, report=ignore)


def test_the_blend_that_was_chosen_beats_both_baselines(ratings: Ratings, choice: Choice) -> None:
    split = Split.of(ratings)
    findings = measure(ratings, split, choice, seed=0)

    assert choice.blend.taste_weight > 0
    assert choice.blend.half_life_days < 90
    assert findings.users >= findings.new_users
    assert findings.recommender.recall > findings.most_popular.recall
    assert findings.recommender.ndcg > findings.recently_popular.ndcg


def test_the_choice_does_not_look_at_the_test_slice(ratings: Ratings, choice: Choice) -> None:
    split = Split.of(ratings)
    without = ratings.part(0, split.validating)

    assert choose(without, split, seed=0, report=ignore) == choice


def test_the_best_candidate_is_the_one_that_ranks_best(ratings: Ratings) -> None:
    split = Split.of(ratings)
    slice_ = Walk(walk(ratings, split.training, split.validating, seed=0), seed=0)

    def quality_of(days: float) -> Quality:
        return slice_.judge(lambda known, _tastes: popularity_model(known, days))

    days = slice_.best((0.01, 5.0), lambda days: lambda known, _tastes: popularity_model(known, days))
    assert quality_of(days).mean == max(quality_of(0.01).mean, quality_of(5.0).mean)
    assert days == 5.0
