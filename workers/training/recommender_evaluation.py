"""How good a ranking is, on ratings that came after those it was made of.

The protocol. Time is cut twice for everybody: the first 80 % of the ratings train, the next 10 % validate, the last
10 % test; ratings of the same second stay on one side. What there is to choose is chosen on the validation slice; the
test slice is touched once. Each slice is walked through in five steps, as a server that is trained anew every few days
would meet it: a model of all ratings before the step ranks for the step. One cut and one model for the whole slice says
more about which two films came out that week than about the ranking.

In a step, every user with something to find is asked for: items that they took in it, and not before. Who is new is
scored by popularity, and an item that is new counts as not found: so does a server fare. Items that the user took
before are left out of the ranking. Of more than `MOST_USERS` such users, that many are drawn.

- recall@10: found among the best ten, of all there was to find.
- NDCG@10: found items weighted by 1 / log2(1 + place), of the most that ten places could have.

Both are means over the users of all steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor

from app.errors import InputError
from workers.training.recommender_model import RankingModel
from workers.training.recommender_ratings import Ratings

TOP = 10
STEPS = 5
MOST_USERS = 1_500
VALIDATION_SHARE = 0.1
TEST_SHARE = 0.1

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Split:
    """Where time is cut: how many ratings train, and how many train or validate."""

    training: int
    validating: int

    @classmethod
    def of(cls, ratings: Ratings) -> Self:
        """Cut ratings.

        :raises InputError: when they are too few, or lie too close in time, to be cut into three.
        """
        training = ratings.cut(1 - VALIDATION_SHARE - TEST_SHARE)
        validating = ratings.cut(1 - TEST_SHARE)
        if not 0 < training < validating:
            raise InputError(
                f"{len(ratings)} ratings cannot be cut into earlier ones to train on and later ones to be measured by: "
                "they are too few, or have too few different times."
            )

        return cls(training=training, validating=validating)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The means over all users that were asked for."""

    recall: float
    ndcg: float

    @property
    def mean(self) -> float:
        """Both in one number, to choose by: it is steadier than either."""
        return (self.recall + self.ndcg) / 2

    @classmethod
    def of(cls, gains: Tensor) -> Self:
        """Return the means of each user's recall and NDCG, [users, 2]."""
        recall, ndcg = gains.double().mean(dim=0).tolist()
        return cls(recall=recall, ndcg=ndcg)


class Trial:
    """The task of one step: who is asked for, and what there is to find for them."""

    def __init__(self, known: Ratings, later: Ratings, *, seed: int) -> None:
        """Take the ratings that a model is made of, and those that come after them."""
        wanted = later.matrix()
        # Each pair of user and item is there once, so nothing that comes later was taken before.
        users = np.flatnonzero(np.diff(wanted.indptr))
        if len(users) > MOST_USERS:
            users = np.sort(np.random.default_rng(seed).choice(users, MOST_USERS, replace=False))
        self.known = known
        self.users = torch.from_numpy(users)
        self._wanted = wanted[users]

    @property
    def new_users(self) -> int:
        """How many of the users the model does not know."""
        return int((np.diff(self.known.matrix().indptr)[self.users.numpy()] == 0).sum())

    def judge(self, model: RankingModel) -> Tensor:
        """Rank for each user and compare with what they took: recall and NDCG, [users, 2]."""
        parts = torch.split(torch.arange(len(self.users)), _ROWS_AT_ONCE)
        found = torch.cat([self._found(model, rows) for rows in parts])
        counts = torch.from_numpy(np.diff(self._wanted.indptr))
        gains = 1.0 / torch.log2(torch.arange(TOP) + 2.0)
        most = gains.cumsum(0)[counts.clamp(max=TOP) - 1]
        return torch.stack([found.sum(dim=1) / counts, (found * gains).sum(dim=1) / most], dim=1)

    def _found(self, model: RankingModel, rows: Tensor) -> Tensor:
        """Return which of the best ten each user took, [rows, 10], as 0 and 1."""
        with torch.inference_mode():
            scores = model(self.users[rows])
        best = scores.topk(min(TOP, scores.shape[1]), dim=1).indices
        wanted = torch.from_numpy(self._wanted[rows.numpy()].toarray())
        found = torch.zeros(len(rows), TOP)
        found[:, : best.shape[1]] = wanted.gather(1, best)
        return found


def walk(ratings: Ratings, start: int, stop: int, *, seed: int) -> Iterator[Trial]:
    """Yield the trials of a slice, from the rating `start` to before `stop`, in steps of about as many ratings."""
    shares = np.linspace(start, stop, STEPS + 1) / len(ratings)
    cuts = sorted({start, *(cut for cut in map(ratings.cut, shares[1:-1].tolist()) if start < cut < stop), stop})
    for before, after in pairwise(cuts):
        yield Trial(ratings.part(0, before), ratings.part(before, after), seed=seed)
