"""Who gets which variant of a route: 10 000 buckets that are dealt by weight, and a hash that puts subjects in them.

The buckets of a route are dealt once and kept. When weights change, each variant that must shrink gives up buckets
and those that must grow take them: nobody else's callers move.
"""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

BUCKETS: Final = 10_000
LONGEST_SUBJECT: Final = 128

Deal = tuple[tuple[str, int], ...]
"""Who has which bucket, from bucket 0 on: runs of a variant's name and how many buckets follow that are its."""


def bucket_of(salt: str, subject: str) -> int:
    """Return the bucket of a subject, from 0: as good as random, and always the same for the same salt."""
    digest = hashlib.blake2b(f"{salt}\0{subject}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    # 2**64 is so much more than BUCKETS that the remainder favours no bucket by more than 1 in 10**15.
    return int.from_bytes(digest, "big") % BUCKETS


def shares(weights: Mapping[str, float]) -> dict[str, int]:
    """Return how many buckets each variant is due: BUCKETS in all, by largest remainder, ties in the order given.

    The weights are finite, none is negative and their sum is more than 0.
    """
    # Scaled by the largest first: a sum of very large weights would be infinite.
    largest = max(weights.values())
    scaled = {name: weight / largest for name, weight in weights.items()}
    total = sum(scaled.values())
    exact = {name: weight / total * BUCKETS for name, weight in scaled.items()}
    whole = {name: int(count) for name, count in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: BUCKETS - sum(whole.values())]:
        whole[name] += 1
    return whole


def deal(weights: Mapping[str, float], before: Deal = ()) -> Deal:
    """Return the buckets for `weights` that differ from those `before` in as few buckets as can be."""
    due = shares(weights)
    owners: list[str | None] = [name for name, count in before for _ in range(count)] or [None] * BUCKETS
    kept = dict.fromkeys(due, 0)
    for bucket, owner in enumerate(owners):
        if owner is None or kept.get(owner, 0) >= due.get(owner, 0):
            owners[bucket] = None
        else:
            kept[owner] += 1
    takers = (name for name, count in due.items() for _ in range(count - kept[name]))
    return _runs([owner if owner is not None else next(takers) for owner in owners])


def moved(before: Deal, after: Deal) -> int:
    """Count the buckets that changed hands."""
    return sum(old != new for old, new in zip(_spread(before), _spread(after), strict=True))


@dataclass(frozen=True)
class BucketTable:
    """The buckets of one route, for looking up."""

    ends: Sequence[int]
    """The bucket behind each run's last."""
    names: Sequence[str]

    @classmethod
    def of(cls, dealt: Deal) -> "BucketTable":
        """Make the table of what was dealt."""
        return cls(ends=list(accumulate(count for _, count in dealt)), names=[name for name, _ in dealt])

    def counts(self) -> Counter[str]:
        """Return how many buckets each variant has."""
        counts: Counter[str] = Counter()
        for name, start, end in zip(self.names, [0, *self.ends], self.ends, strict=False):
            counts[name] += end - start
        return counts

    def variant(self, bucket: int) -> str:
        """Return the variant that has a bucket."""
        return self.names[bisect_right(self.ends, bucket)]


def _spread(dealt: Deal) -> list[str]:
    return [name for name, count in dealt for _ in range(count)]


def _runs(owners: Sequence[str]) -> Deal:
    return tuple((name, sum(1 for _ in run)) for name, run in groupby(owners))
