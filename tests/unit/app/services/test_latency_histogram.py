"""Quantiles of the histogram, against those of the latencies themselves."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.latency_histogram import (
    LAST_BUCKET,
    LEAST_S,
    MOST_S,
    RELATIVE_ERROR,
    bucket_of_latency,
    quantile,
)

latencies = st.floats(min_value=LEAST_S, max_value=MOST_S)
# What rounding of logarithms may add at the very edge of a bucket.
ROUNDING = 1e-9


@given(st.lists(latencies, min_size=1, max_size=200), st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_its_error(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[math.floor(share * (len(seconds) - 1))]

    told = quantile(Counter(map(bucket_of_latency, seconds)), share)

    assert told == pytest.approx(exact, rel=RELATIVE_ERROR + ROUNDING)


@given(st.lists(latencies, min_size=1), st.lists(latencies, min_size=1))
def test_histograms_add_up(ones: list[float], others: list[float]) -> None:
    parts = Counter(map(bucket_of_latency, ones)) + Counter(map(bucket_of_latency, others))

    assert parts == Counter(map(bucket_of_latency, ones + others))


@given(latencies, latencies)
def test_longer_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert 0 <= bucket_of_latency(low) <= bucket_of_latency(high) <= LAST_BUCKET


@pytest.mark.parametrize(("seconds", "bucket"), [(-1.0, 0), (0.0, 0), (LEAST_S, 0), (1e9, LAST_BUCKET)])
def test_what_is_out_of_range_counts_for_the_nearest(seconds: float, bucket: int) -> None:
    assert bucket_of_latency(seconds) == bucket
