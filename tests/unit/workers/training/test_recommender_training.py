"""Factors add up to the formula: each rating counts by its age, and by how alike its user is."""

import numpy as np
import pytest
import torch

from tests.factories.ratings import TINY_WORLD, ratings_of
from workers.training.recommender_simulation import simulate
from workers.training.recommender_training import Blend, build_model, find_tastes, popularity_model


def test_scores_are_the_formulas() -> None:
    ratings = simulate(TINY_WORLD, seed=5)
    tastes = find_tastes(ratings, seed=0, factors=6)
    model = build_model(ratings, tastes, Blend(half_life_days=3.0, taste_weight=2.0))
    with torch.inference_mode():
        scores = model(torch.arange(len(ratings.user_ids) + 1)).double().numpy()

    worth = np.zeros((len(ratings.user_ids), len(ratings.item_ids)))
    worth[ratings.users, ratings.items] = 0.5 ** (ratings.ages_days() / 3.0)
    scale = worth.sum(axis=0).max()
    likeness = np.vstack([tastes @ tastes.T, np.zeros(len(tastes))])
    expected = (1.0 + 2.0 * likeness) @ worth / scale
    expected[ratings.users, ratings.items] = -np.inf
    assert np.allclose(scores, expected, atol=1e-4)
    assert scores[-1].max() == pytest.approx(1.0)


def test_tastes_are_alike_where_people_took_the_same_rare_items() -> None:
    ratings = ratings_of(*((user, 1, 1.0) for user in range(8)), (0, 2, 2.0), (1, 2, 3.0), (2, 3, 4.0), (3, 3, 5.0))
    tastes = find_tastes(ratings, seed=0)
    likeness = tastes @ tastes.T

    assert np.allclose(np.diag(likeness), 1.0, atol=1e-5)
    assert likeness[0, 1] > 0.99
    assert likeness[0, 2] < likeness[0, 4] < likeness[0, 1]


def test_who_took_nothing_has_no_taste() -> None:
    ratings = ratings_of((1, 1, 1.0), (1, 2, 1.5), (2, 1, 2.0), (3, 2, 3.0))
    tastes = find_tastes(ratings.part(0, 3), seed=0)

    assert tastes[2].tolist() == [0.0] * tastes.shape[1]


def test_popularity_counts_all_days_or_the_last() -> None:
    ratings = ratings_of((1, 1, 1.0), (2, 1, 1.5), (3, 2, 9.0), (4, 3, 9.5), (5, 3, 10.0))
    nobody = torch.tensor([5])

    assert popularity_model(ratings)(nobody).tolist() == [[2.0, 1.0, 2.0]]
    assert popularity_model(ratings, 0.75)(nobody).tolist() == [[0.0, 0.0, 2.0]]
