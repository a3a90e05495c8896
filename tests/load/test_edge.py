"""The edge's share of the rate is told from runs that were made beside each other."""

import pytest

from tests.load.edge import share
from tests.load.http_load import LoadResult
from tests.load.measure import Measurement


def run(rate: int, *, errors: int = 0) -> Measurement:
    load = LoadResult(requests=2 * rate + errors, errors=errors, seconds=2.0, p50_ms=1.0, p99_ms=2.0)
    return Measurement(load=load, cpu_s={}, generator_s=0.0)


def test_share_is_the_median_over_runs_made_one_after_the_other() -> None:
    direct = [run(1000), run(2000), run(500)]
    through = [run(900), run(1000), run(400)]

    # 90 %, 50 %, 80 %: medians of either door alone would say 90 %.
    assert share(through, direct) == pytest.approx(0.8)


def test_what_failed_is_no_rate() -> None:
    assert share([run(500, errors=1000)], [run(1000)]) == pytest.approx(0.5)
