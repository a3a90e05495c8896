"""The statistics, against scipy.stats on random data and against values of textbooks."""

import numpy as np
import pytest
from scipy import stats

from app.services.experiment_statistics import (
    CONFIDENCE,
    Interval,
    Sample,
    difference_of_means,
    mean_interval,
    proportion_interval,
    ratio_p_value,
)

SEEDS = range(20)
# Hours of sleep gained under two drugs: Student, "The probable error of a mean", Biometrika 6 (1908).
SLEEP_ONE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_TWO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def sample_of(values: object) -> Sample:
    data = np.asarray(values, dtype=float)
    return Sample(len(data), float(data.mean()), float(((data - data.mean()) ** 2).sum()))


def random_values(generator: np.random.Generator) -> np.ndarray:
    size = int(generator.integers(5, 300))
    return generator.normal(generator.uniform(-5, 5), 10 ** generator.uniform(-2, 4), size)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_a_mean_is_students(seed: int) -> None:
    values = random_values(np.random.default_rng(seed))
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=values.mean(), scale=stats.sem(values))

    interval = mean_interval(sample_of(values))

    assert (interval.low, interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_difference_of_means_is_welchs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ones, others = random_values(generator), random_values(generator)
    known = stats.ttest_ind(ones, others, equal_var=False)
    ends = known.confidence_interval(CONFIDENCE)

    told = difference_of_means(sample_of(ones), sample_of(others))

    assert told.value == pytest.approx(ones.mean() - others.mean())
    assert told.p_value == pytest.approx(known.pvalue)
    assert (told.interval.low, told.interval.high) == pytest.approx((ends.low, ends.high))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_a_share_is_wilsons(seed: int) -> None:
    generator = np.random.default_rng(seed)
    trials = int(generator.integers(1, 10_000))
    hits = int(generator.integers(0, trials + 1))
    known = stats.binomtest(hits, trials).proportion_ci(CONFIDENCE, method="wilson")

    told = proportion_interval(hits, trials)

    assert (told.low, told.high) == pytest.approx((known.low, known.high), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ratio_check_is_pearsons(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet(np.ones(int(generator.integers(2, 6))) * 5)
    observed = generator.multinomial(5000, generator.dirichlet(shares * 10_000))
    known = stats.chisquare(observed, shares * observed.sum())

    assert ratio_p_value(observed.tolist(), shares.tolist()) == pytest.approx(known.pvalue)


def test_the_sleep_of_students_patients() -> None:
    """R's `t.test(extra ~ group, data = sleep)`: t = -1.8608, df = 17.776, p = 0.07939, -3.3654832 to 0.2054832."""
    told = difference_of_means(sample_of(SLEEP_ONE), sample_of(SLEEP_TWO))

    assert told.value == pytest.approx(-1.58)
    assert told.p_value == pytest.approx(0.07939, abs=5e-6)
    assert (told.interval.low, told.interval.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_mendels_peas_divide_as_they_should() -> None:
    """315, 101, 108 and 32 of 556 for 9 : 3 : 3 : 1 is chi-square 0.470 of 3 degrees of freedom."""
    p_value = ratio_p_value([315, 101, 108, 32], [9 / 16, 3 / 16, 3 / 16, 1 / 16])

    assert p_value == pytest.approx(0.925, abs=5e-4)


def test_wilsons_interval_of_no_hit_at_all() -> None:
    """0 of 10 is 0 to 0.2775 (Newcombe, "Two-sided confidence intervals for the single proportion", 1998)."""
    interval = proportion_interval(0, 10)

    assert (interval.low, interval.high) == pytest.approx((0.0, 0.2775), abs=5e-5)
    assert proportion_interval(10, 10).high == 1.0


def test_samples_that_do_not_vary_have_no_p_value() -> None:
    told = difference_of_means(sample_of([2.0] * 6), sample_of([1.0] * 6))

    assert (told.value, told.interval, told.p_value) == (1.0, Interval(1.0, 1.0), None)


@pytest.mark.parametrize("scale", [1e-90, 1e90])
def test_the_p_value_knows_no_unit(scale: float) -> None:
    ones, others = np.array(SLEEP_ONE), np.array(SLEEP_TWO)

    told = difference_of_means(sample_of(ones * scale), sample_of(others * scale))

    assert told.p_value == pytest.approx(0.07939, abs=5e-6)


@pytest.mark.parametrize(
    ("observed", "shares", "p_value"),
    [
        ([10, 10], [0.5, 0.5], 1.0),
        ([4, 4], [0.5, 0.5], None),
        ([0, 0], [0.5, 0.5], None),
        ([100, 0], [1.0, 0.0], None),
        ([100, 1], [1.0, 0.0], 0.0),
        ([100], [1.0], None),
        ([], [], None),
        ([500, 500, 0], [0.5, 0.5, 0.0], 1.0),
    ],
)
def test_the_edges_of_the_ratio_check(observed: list[int], shares: list[float], p_value: float | None) -> None:
    assert ratio_p_value(observed, shares) == p_value
