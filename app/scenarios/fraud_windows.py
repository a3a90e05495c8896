"""Sliding windows over an account's payments: how many and how much, and how many different merchants or countries.

Windows end with the bucket of the account's newest event and are exact to the bucket: what is counted is every event
whose own time lies in one of the window's buckets, in whatever order the events came.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from msgspec import Struct, field

# What a count and a sum may be at most: they take 5 and 9 bytes.
MOST_COUNTED: Final = 2**32 - 1
MOST_SUMMED: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time as so many buckets of so many seconds; buckets count from 1970."""

    name: str
    bucket_s: int
    buckets: int

    def first_bucket(self, newest_s: int) -> int:
        """Return the first bucket of the window that ends with the bucket of a time."""
        return newest_s // self.bucket_s - self.buckets + 1

    def start_s(self, newest_s: int) -> int:
        """Return the first second of that window."""
        return self.first_bucket(newest_s) * self.bucket_s


WINDOWS: Final = (
    Window("1m", bucket_s=5, buckets=12),
    Window("1h", bucket_s=300, buckets=12),
    Window("24h", bucket_s=3600, buckets=24),
    Window("7d", bucket_s=6 * 3600, buckets=28),
)
LONGEST: Final = WINDOWS[-1]


class Tally(Struct, array_like=True):
    """The buckets of one window that are not empty, ascending, with how many events and cents are in each."""

    buckets: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    cents: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many events are in the window."""
        return sum(self.counts)

    @property
    def total_cents(self) -> int:
        """How much they amount to."""
        return sum(self.cents)

    def add(self, bucket: int, cents: int, *, first_bucket: int) -> None:
        """Count an event in the window that begins with `first_bucket`, if it is in it; what was before is gone."""
        buckets = self.buckets
        gone = bisect_left(buckets, first_bucket)
        if gone:
            del buckets[:gone], self.counts[:gone], self.cents[:gone]
        if bucket < first_bucket:
            return

        place = bisect_left(buckets, bucket)
        if place == len(buckets) or buckets[place] != bucket:
            buckets.insert(place, bucket)
            self.counts.insert(place, 0)
            self.cents.insert(place, 0)
        self.counts[place] = min(self.counts[place] + 1, MOST_COUNTED)
        self.cents[place] = min(self.cents[place] + cents, MOST_SUMMED)


class Seen(Struct, array_like=True):
    """Which of many things an account met, and when last: by time, then by key. Only the latest so many are known.

    So the number of different ones is exact up to so many, in each window, in whatever order the events came.
    """

    keys: list[int] = field(default_factory=list)
    seconds: list[int] = field(default_factory=list)

    def since(self, start_s: int) -> int:
        """Return how many were met in that second or later."""
        return len(self.seconds) - bisect_left(self.seconds, start_s)

    def meet(self, key: int, second: int, *, most: int) -> bool:
        """Note what was met in a second; return whether it was unknown. Of more than `most` the oldest is forgotten."""
        keys, seconds = self.keys, self.seconds
        is_new = key not in keys
        if not is_new:
            place = keys.index(key)
            del keys[place]
            second = max(second, seconds.pop(place))
        place = bisect_right(seconds, second)
        while place and seconds[place - 1] == second and keys[place - 1] > key:
            place -= 1
        keys.insert(place, key)
        seconds.insert(place, second)
        if len(keys) > most:
            del keys[0], seconds[0]
        return is_new

    def forget_before(self, start_s: int) -> None:
        """Let go of what was met last before that second."""
        gone = bisect_left(self.seconds, start_s)
        if gone:
            del self.keys[:gone], self.seconds[:gone]
