"""Who took which item when: the one thing that the recommender learns from, whatever it was read from."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """Ratings in the order of their times. How good a rating is goes unread: that somebody took the item counts.

    `user_ids` and `item_ids` are ascending and name the rows and columns that `users` and `items` count in. A part of
    ratings has the ids of the whole.
    """

    users: Integers
    items: Integers
    times: Integers
    user_ids: Integers
    item_ids: Integers
    titles: dict[int, str] = field(default_factory=dict)
    """By item id; empty where nobody gave any."""

    @classmethod
    def of(cls, user_ids: Integers, item_ids: Integers, times: Integers, titles: dict[int, str] | None = None) -> Self:
        """Make ratings of one entry per event; of a user's ratings of one item, the first counts."""
        known_users, users = np.unique(user_ids, return_inverse=True)
        known_items, items = np.unique(item_ids, return_inverse=True)
        order = np.argsort(times, kind="stable")
        # np.unique finds the first of each pair, in time as the events are in its order by then.
        _, firsts = np.unique((users * len(known_items) + items)[order], return_index=True)
        order = order[np.sort(firsts)]
        return cls(
            users=users[order],
            items=items[order],
            times=times[order],
            user_ids=known_users,
            item_ids=known_items,
            titles=titles or {},
        )

    def __len__(self) -> int:
        return len(self.times)

    def part(self, start: int, stop: int) -> Self:
        """Return the ratings from `start` to before `stop`."""
        chosen = slice(start, stop)
        return replace(self, users=self.users[chosen], items=self.items[chosen], times=self.times[chosen])

    def cut(self, share: float) -> int:
        """Return how many ratings come before a cut at that share of them; those of one second are not cut apart."""
        at = round(len(self) * share)
        return len(self) if at >= len(self) else int(np.searchsorted(self.times, self.times[at]))

    def ages_days(self) -> NDArray[np.float64]:
        """Return how many days before the last rating each was given."""
        ages: NDArray[np.float64] = (self.times[-1] - self.times) / DAY_S
        return ages

    def matrix(self, weights: NDArray[np.float64] | None = None) -> csr_array:
        """Return users × items, holding the weight of each rating, 1 without."""
        data = np.ones(len(self)) if weights is None else weights
        shape = (len(self.user_ids), len(self.item_ids))
        return csr_array((data.astype(np.float32), (self.users, self.items)), shape=shape)
