"""The statistics of a readout, in plain values: intervals, the difference of two means, the sample-ratio check.

The distributions are scipy.special's: scipy.stats, which calls the same functions, costs each web worker 60 MB.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import chdtrc, ndtri, stdtr, stdtrit

CONFIDENCE: Final = 0.95
FEWEST_VALUES: Final = 5
"""With fewer values per variant no interval is told: Student's t stands on means that are nearly normal."""
FEWEST_EXPECTED: Final = 5.0
"""With fewer expected in a variant, chi-square is no good approximation (Cochran's rule)."""
MISMATCH_BELOW: Final = 0.001
"""The p-value under which a sample ratio is called mismatched: it is looked at often, and must not cry wolf."""

_TAIL = (1 + CONFIDENCE) / 2


@dataclass(frozen=True)
class Interval:
    """The ends of a 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Sample:
    """A sample's size, mean, and sum of squared deviations from it."""

    count: int
    mean: float
    squares: float

    @property
    def variance(self) -> float:
        """The unbiased variance; the sample must hold two values."""
        return self.squares / (self.count - 1)

    @property
    def is_enough(self) -> bool:
        """Whether intervals can be told of it."""
        return self.count >= FEWEST_VALUES


@dataclass(frozen=True)
class Difference:
    """By how much one mean exceeds another; `p_value` is None where neither sample varies."""

    value: float
    interval: Interval
    p_value: float | None


def proportion_interval(hits: int, trials: int) -> Interval:
    """Return Wilson's score interval of a proportion; it stays within 0 and 1, also for 0 hits.

    Wilson, E. B.: "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    z = float(ndtri(_TAIL))
    share, weight = hits / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    # Where the formula gives exactly 0 or 1, rounding would not.
    return Interval(centre - half if hits else 0.0, centre + half if hits < trials else 1.0)


def mean_interval(sample: Sample) -> Interval:
    """Return Student's interval of a mean; the sample must hold two values."""
    half = float(stdtrit(sample.count - 1, _TAIL)) * math.sqrt(sample.variance / sample.count)
    return Interval(sample.mean - half, sample.mean + half)


def difference_of_means(sample: Sample, base: Sample) -> Difference:
    """Return how far `sample` lies above `base`, by Welch's test, which takes the variances to differ.

    Welch, B. L.: "The generalization of Student's problem …", Biometrika 34 (1947).
    """
    value = sample.mean - base.mean
    parts = [one.variance / one.count for one in (sample, base)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return Difference(value, Interval(value, value), None)

    # By shares of the whole: the squares of very small variances would vanish.
    shares = [part / sum(parts) for part in parts]
    freedom = 1 / sum(share**2 / (one.count - 1) for share, one in zip(shares, (sample, base), strict=True))
    half = float(stdtrit(freedom, _TAIL)) * error
    p_value = 2 * float(stdtr(freedom, -abs(value / error)))
    return Difference(value, Interval(value - half, value + half), p_value)


def ratio_p_value(observed: Sequence[int], shares: Sequence[float]) -> float | None:
    """Return how probable counts at least as far from the shares are (Pearson's chi-square); None for too few.

    The shares sum to 1. A variant of share 0 should have nobody: if it has, nothing explains it.
    """
    total = sum(observed)
    if any(count for count, share in zip(observed, shares, strict=True) if not share):
        return 0.0

    expected = [(count, share * total) for count, share in zip(observed, shares, strict=True) if share]
    if len(expected) < 2 or min(want for _, want in expected) < FEWEST_EXPECTED:
        return None

    statistic = sum((count - want) ** 2 / want for count, want in expected)
    return float(chdtrc(len(expected) - 1, statistic))
