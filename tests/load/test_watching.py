"""What being watched costs is a share of CPU, told from pairs of runs."""

import pytest

from tests.load.example_reports import example_report
from tests.load.measure import Observed
from tests.load.recommendation_runs import Run
from tests.load.redis_calls import RedisCalls
from tests.load.surroundings import Elsewhere
from tests.load.watching import Pair, quartiles


def run(cpu_s: float, *, offered: int = 1000) -> Run:
    report = example_report(offered=offered, good=offered)
    elsewhere = Elsewhere(load_average=0.0, others=0.0, stolen=0.0)
    observed = Observed(result=report, cpu_s={"redis": cpu_s / 4, "web worker": cpu_s * 3 / 4}, elsewhere=elsewhere)
    return Run(observed=observed, redis=RedisCalls(reads=0, calls={}, microseconds={}))


def pair(cost: float) -> Pair:
    return Pair(watched=run(2.0), unwatched=run(2.0 * (1 - cost)))


def test_cost_is_a_share_of_the_watched_ones_cpu_per_request() -> None:
    # Half the requests in the same CPU time cost twice as much each.
    assert Pair(watched=run(1.0, offered=500), unwatched=run(1.0)).cost == pytest.approx(0.5)


def test_half_of_all_pairs_are_between_the_quartiles() -> None:
    pairs = [pair(cost) for cost in (0.05, -0.01, 0.9, 0.03, 0.04)]

    assert quartiles(pairs) == pytest.approx((0.03, 0.04, 0.05))


def test_one_pair_is_all_there_is_to_tell() -> None:
    assert quartiles([pair(0.25)]) == pytest.approx((0.25, 0.25, 0.25))
