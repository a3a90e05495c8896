"""Which blend suits a set of ratings: what ranks best on the validation slice, of a grid."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

import torch

from workers.training.progress import Report, tracked
from workers.training.recommender_evaluation import Quality, Split, Trial, walk
from workers.training.recommender_model import RankingModel
from workers.training.recommender_ratings import Floats, Ratings
from workers.training.recommender_training import Blend, build_model, find_tastes, popularity_model

Candidate = TypeVar("Candidate")
Build = Callable[[Ratings, Floats], RankingModel]

HALF_LIVES_DAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 90.0, 365.0)
TASTE_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
# With which the decay is chosen; the weight is chosen then, with that decay.
USUAL_TASTE_WEIGHT = 8.0
# What 'recently' may mean for the baseline: it too is chosen on the validation slice.
RECENT_DAYS = (3.0, 7.0, 14.0, 30.0, 90.0, 365.0)

DECAYS: Final = tuple(Blend(half_life_days=days, taste_weight=USUAL_TASTE_WEIGHT) for days in HALF_LIVES_DAYS)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen: the recommender's blend, and the days of the baseline."""

    blend: Blend
    recent_days: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """How the recommender and its baselines did on the test slice."""

    users: int
    new_users: int
    recommender: Quality
    most_popular: Quality
    recently_popular: Quality


class Walk:
    """The trials of a slice, with the tastes that were known before each."""

    def __init__(self, trials: Iterable[Trial], *, seed: int) -> None:
        self.trials = list(trials)
        self._tastes = [find_tastes(trial.known, seed=seed) for trial in self.trials]

    def judge(self, build: Build) -> Quality:
        """Build a model before each trial, and return how they did in all."""
        steps = zip(self.trials, self._tastes, strict=True)
        return Quality.of(torch.cat([trial.judge(build(trial.known, tastes)) for trial, tastes in steps]))

    def best(self, candidates: Iterable[Candidate], way: Callable[[Candidate], Build]) -> Candidate:
        """Return the candidate whose way to build does best; of equals the first."""
        judged = [(self.judge(way(candidate)).mean, candidate) for candidate in candidates]
        return max(judged, key=lambda pair: pair[0])[1]


def choose(ratings: Ratings, split: Split, *, seed: int, report: Report) -> Choice:
    """Choose on the validation slice."""
    slice_ = Walk(walk(ratings, split.training, split.validating, seed=seed), seed=seed)
    blend = slice_.best(tracked(DECAYS, "fitting the decay", report), _blending)
    weighted = [replace(blend, taste_weight=weight) for weight in TASTE_WEIGHTS]
    return Choice(
        blend=slice_.best(tracked(weighted, "fitting the weight of taste", report), _blending),
        recent_days=slice_.best(RECENT_DAYS, _recent),
    )


def measure(ratings: Ratings, split: Split, choice: Choice, *, seed: int) -> Findings:
    """Measure on the test slice."""
    slice_ = Walk(walk(ratings, split.validating, len(ratings), seed=seed), seed=seed)
    return Findings(
        users=sum(len(trial.users) for trial in slice_.trials),
        new_users=sum(trial.new_users for trial in slice_.trials),
        recommender=slice_.judge(_blending(choice.blend)),
        most_popular=slice_.judge(_recent(None)),
        recently_popular=slice_.judge(_recent(choice.recent_days)),
    )


def _blending(blend: Blend) -> Build:
    return partial(build_model, blend=blend)


def _recent(days: float | None) -> Build:
    return lambda ratings, _tastes: popularity_model(ratings, days)
