"""The recommender's training: what is popular now, among everybody and among those of a user's taste.

A rating counts less the older it is. Added up over all users v, that is an item's popularity; added up with the
likeness of u and v, it is what people of u's taste take now:

    score(u, i) = Σ_v (1 + taste_weight · likeness(u, v)) · decay(age of v's rating of i)
    decay(age) = 2^(-age / half_life)

Likeness is the cosine of two users' tastes: their rows in a truncated singular value decomposition of what they took,
where rare items say more than those that everybody took. So the score falls into factors, and is cheap to serve:
`likeness` is a product of two rows of tastes, and the sum over v is done here, once per item.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from workers.training.recommender_model import RankingModel
from workers.training.recommender_ratings import Floats, Ratings

FACTORS = 64

# As if every item had been taken this often more: the few tastes of rare items are no better known than those.
_SMOOTHING = 5.0
_POWER_ITERATIONS = 4


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How ratings go out of date, and how much more those of people alike count."""

    half_life_days: float
    """The age at which a rating counts half."""
    taste_weight: float

    def decay(self, ages_days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what ratings of these ages count."""
        return np.exp2(-ages_days / self.half_life_days)


def find_tastes(ratings: Ratings, *, seed: int, factors: int = FACTORS) -> Floats:
    """Return each user's taste, [users, factors]: of length 1, or 0 for who took nothing."""
    shares = _by_rarity(ratings.matrix())
    left, strengths, _ = randomized_svd(
        shares,
        min(factors, *shares.shape),
        n_iter=_POWER_ITERATIONS,
        random_state=seed,
    )
    return _unit_rows((left * strengths).astype(np.float32))


def build_model(ratings: Ratings, tastes: Floats, blend: Blend) -> RankingModel:
    """Return the model as of the newest rating; the most popular item scores 1 by popularity."""
    recent = ratings.matrix(blend.decay(ratings.ages_days()))
    popularity = recent.sum(axis=0)
    scale = 1.0 / popularity.max()
    trends = (recent.T @ tastes).T * (blend.taste_weight * scale)
    return _model(ratings, tastes, trends, popularity * scale)


def popularity_model(ratings: Ratings, days: float | None = None) -> RankingModel:
    """Return a model that ranks by the ratings of the last `days`, or by all: what the recommender has to beat."""
    weights = np.ones(len(ratings)) if days is None else (ratings.ages_days() < days).astype(np.float64)
    popularity = ratings.matrix(weights).sum(axis=0)
    users, items = len(ratings.user_ids), len(ratings.item_ids)
    return _model(ratings, np.zeros((users, 1), np.float32), np.zeros((1, items), np.float32), popularity)


def _by_rarity(taken: csr_array) -> csr_array:
    """Return what each user took in shares of length 1, items weighted by the inverse of how often they were taken."""
    rarity = 1.0 / (taken.sum(axis=0) + _SMOOTHING)
    weighted = csr_array(taken @ diags_array(rarity.astype(np.float32)))
    lengths = np.sqrt(weighted.power(2).sum(axis=1))
    return csr_array(diags_array(_inverse(lengths)) @ weighted)


def _unit_rows(rows: Floats) -> Floats:
    return rows * _inverse(np.linalg.norm(rows, axis=1))[:, None]


def _inverse(lengths: Floats) -> Floats:
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def _model(ratings: Ratings, tastes: Floats, trends: Floats, popularity: Floats) -> RankingModel:
    seen = ratings.matrix()
    return RankingModel(
        tastes=torch.from_numpy(tastes),
        trends=torch.from_numpy(trends),
        popularity=torch.from_numpy(popularity),
        seen=(_tensor(seen.indptr), _tensor(seen.indices)),
    ).eval()


def _tensor(places: NDArray[np.int32]) -> Tensor:
    return torch.from_numpy(places)
