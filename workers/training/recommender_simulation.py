"""A made-up set of ratings, for a start without a file: few items are popular, and not for long, and tastes differ.

Each item comes out on some day, is taken most at once and ever less afterwards, and keeps some followers for good.
Users belong to groups of taste, and take items of their group's kinds far more often than others. Some users take
hundreds of items, most a dozen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.training.recommender_ratings import DAY_S, Ratings
from workers.training.recommender_titles import make_titles

# 2026-01-01 00:00 UTC: the same set is made on every day.
_END_S = 1_767_225_600


@dataclass(frozen=True, kw_only=True)
class World:
    """How large the set is, and what it is like."""

    users: int = 10_000
    items: int = 5_000
    events: int = 150_000
    days: int = 180
    groups: int = 20
    """Groups of taste; each likes two kinds of items, of as many kinds as there are groups."""
    loyalty: float = 0.7
    """The share of events in which a user takes an item of a kind that the group likes."""
    fading_days: float = 10.0
    """How long after it came out an item is taken often."""
    lasting_share: float = 0.05
    """How much of an item's first popularity stays for good."""


def simulate(world: World, *, seed: int) -> Ratings:
    """Make the ratings; users and items have the ids 1, 2, 3 and so on, and each has one rating at least."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.uniform(0, world.days, world.events))
    users = _active_users(world, rng)
    groups = rng.integers(world.groups, size=world.users)
    kinds = rng.integers(world.groups, size=world.items)
    is_loyal = rng.random(world.events) < world.loyalty
    liked = (groups[users] + rng.integers(2, size=world.events)) % world.groups
    items = _taken_items(world, days, np.where(is_loyal, liked, -1), kinds, rng)
    # Nobody is asked to recommend what was never seen: each item is taken once, at the least, by somebody.
    items[rng.choice(world.events, world.items, replace=False)] = rng.permutation(world.items)
    times = (_END_S + (days - world.days) * DAY_S).astype(np.int64)
    titles = dict(enumerate(make_titles(world.items, rng), 1))
    return Ratings.of(users + 1, items + 1, times, titles)


def _active_users(world: World, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return who takes something in each event: everybody once, some very often."""
    activity = rng.lognormal(sigma=1.0, size=world.users)
    often = rng.choice(world.users, world.events - world.users, p=activity / activity.sum())
    return rng.permutation(np.concatenate([np.arange(world.users), often]))


def _taken_items(
    world: World,
    days: NDArray[np.float64],
    wanted_kinds: NDArray[np.int64],
    kinds: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return which item is taken in each event: of the wanted kind, or any for -1, by that day's popularity."""
    # Zipf's law; half of the items are there from the beginning.
    appeal = 1.0 / rng.permutation(np.arange(1, world.items + 1)) ** 0.8
    out_on = np.maximum(rng.uniform(-world.days, world.days, world.items), 0.0) - rng.uniform(0, 1, world.items)
    items = np.zeros(len(days), np.int64)
    for day in range(world.days):
        age = day - out_on
        fresh = np.exp2(-np.maximum(age, 0.0) / world.fading_days)
        popularity = np.where(age >= 0, appeal * (world.lasting_share + fresh), 0.0)
        today = np.flatnonzero(days.astype(np.int64) == day)
        for kind in np.unique(wanted_kinds[today]):
            events = today[wanted_kinds[today] == kind]
            shares = popularity * ((kinds == kind) | (kind < 0))
            if not shares.any():
                shares = popularity
            items[events] = rng.choice(world.items, len(events), p=shares / shares.sum())
    return items
