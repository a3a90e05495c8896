"""The slope is that of the line through the points."""

import pytest

from tests.load.web_memory import slope

MILLION = 10**6


@pytest.mark.parametrize("growth_mb", [0, 7, -2])
def test_slope_is_megabytes_per_million_requests(growth_mb: int) -> None:
    requests = [200_000, 400_000, 600_000, 800_000, 1_000_000]
    resident = [100 * MILLION + growth_mb * one for one in requests]

    assert slope(requests, resident) == pytest.approx(growth_mb)


def test_noise_on_both_sides_cancels_out() -> None:
    assert slope([1, 2, 3, 4], [10, 14, 14, 10]) == pytest.approx(0)
