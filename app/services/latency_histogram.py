"""Latencies counted in buckets whose width grows with the latency, and quantiles read from them.

Bucket N holds the seconds from `LEAST_S * GROWTH**N` up to the next bucket's begin. A quantile is told as the value
that is off by the same share from both ends of its bucket: its relative error is at most RELATIVE_ERROR, for
latencies between LEAST_S and MOST_S. Histograms of many processes add up, bucket by bucket. The mapping is that of
DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019).
"""

import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

RELATIVE_ERROR: Final = 0.01
GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LEAST_S: Final = 1e-4
MOST_S: Final = 1e3

_LOG_GROWTH = math.log(GROWTH)
LAST_BUCKET: Final = math.ceil(math.log(MOST_S / LEAST_S) / _LOG_GROWTH)


def bucket_of_latency(seconds: float) -> int:
    """Return the bucket of a latency; what is out of range counts for the nearest."""
    if seconds <= LEAST_S:
        return 0

    return min(int(math.log(seconds / LEAST_S) / _LOG_GROWTH), LAST_BUCKET)


def quantile(counts: Mapping[int, int], share: float) -> float:
    """Return the latency in seconds that `share` (0 to 1) of those counted by bucket do not exceed.

    Of n latencies in order it is the one at index `floor(share * (n - 1))`; there must be at least one.
    """
    buckets = sorted(counts)
    totals = list(accumulate(counts[bucket] for bucket in buckets))
    rank = math.floor(share * (totals[-1] - 1))
    bucket = next(bucket for bucket, total in zip(buckets, totals, strict=True) if total > rank)
    return LEAST_S * GROWTH**bucket * 2 * GROWTH / (GROWTH + 1)
