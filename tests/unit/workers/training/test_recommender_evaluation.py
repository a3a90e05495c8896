"""The protocol: what is later is not known, what was taken is not ranked, and the figures are those of the textbook."""

import math

import numpy as np
import pytest
import torch

from app.errors import InputError
from tests.factories.ratings import TINY_WORLD, ratings_of
from workers.training import recommender_evaluation as evaluation
from workers.training.recommender_evaluation import Quality, Split, Trial, walk
from workers.training.recommender_simulation import simulate
from workers.training.recommender_training import popularity_model

# Item 1 is the most popular, then 2, then 3, 4 … 12; user 50 took item 1 only.
KNOWN = [(user, item, 1.0 + item / 100) for item in range(1, 13) for user in range(13 - item)]
KNOWN += [(50, 1, 1.5)]


def trial_of(*later: tuple[int, int, float]) -> Trial:
    ratings = ratings_of(*KNOWN, *later)
    return Trial(ratings.part(0, len(KNOWN)), ratings.part(len(KNOWN), len(ratings)), seed=0)


def test_recall_and_ndcg_are_those_worked_out_by_hand() -> None:
    # User 50 is offered 2, 3 … 11: of what they took then, 3 stands second, 12 is not offered, 99 is new.
    trial = trial_of((50, 3, 9.0), (50, 12, 9.1), (50, 99, 9.2))
    judged = trial.judge(popularity_model(trial.known))

    most = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert judged.tolist() == [pytest.approx([1 / 3, 1 / math.log2(3) / most])]


def test_new_users_are_asked_for_too() -> None:
    trial = trial_of((50, 2, 9.0), (77, 1, 9.1))
    quality = Quality.of(trial.judge(popularity_model(trial.known)))

    assert len(trial.users) == 2
    assert trial.new_users == 1
    assert (quality.recall, quality.ndcg, quality.mean) == (1.0, 1.0, 1.0)


def test_of_many_users_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST_USERS", 3)
    drawn = trial_of(*((user, 90, 9.0) for user in range(60, 70))).users

    assert len(drawn) == len(torch.unique(drawn)) == 3


def test_a_split_keeps_time_in_order() -> None:
    ratings = simulate(TINY_WORLD, seed=1)
    split = Split.of(ratings)

    assert split.training == pytest.approx(0.8 * len(ratings), abs=2)
    assert split.validating == pytest.approx(0.9 * len(ratings), abs=2)
    assert ratings.times[split.training - 1] < ratings.times[split.training]


@pytest.mark.parametrize("events", [[(1, 1, 1.0)], [(user, 1, 1.0) for user in range(50)]], ids=["few", "at once"])
def test_ratings_that_cannot_be_cut_are_refused(events: list[tuple[int, int, float]]) -> None:
    with pytest.raises(InputError, match="cannot be cut"):
        Split.of(ratings_of(*events))


def test_a_walk_meets_every_rating_once_and_knows_all_before() -> None:
    ratings = simulate(TINY_WORLD, seed=1)
    split = Split.of(ratings)
    trials = list(walk(ratings, split.validating, len(ratings), seed=0))
    starts = [len(trial.known) for trial in trials]

    assert len(trials) == evaluation.STEPS
    assert starts[0] == split.validating
    assert np.all(np.diff(starts) > 0)
    for trial, stop in zip(trials, [*starts[1:], len(ratings)], strict=True):
        wanted = set(ratings.users[len(trial.known) : stop].tolist())
        assert set(trial.users.tolist()) == wanted
