"""What was measured decides how a runner computes."""

import pytest

from workers.runner.plan import ExecutionPlan, make_plan
from workers.runner.proof import Proof


def test_light_models_compute_in_one_place() -> None:
    plan = make_plan(Proof(seconds={1: 0.001, 8: 0.002}, is_batch_safe=True, prepare_s=0.004), threads=0, cores=2)

    assert not plan.is_heavy
    assert (plan.threads, plan.batch_limit) == (2, 8)
    assert plan.row_cost_s == pytest.approx(0.002 + 0.00025)


def test_heavy_models_use_a_thread_per_core() -> None:
    plan = make_plan(Proof(seconds={1: 0.03, 2: 0.06}, is_batch_safe=True, prepare_s=0.01), threads=0, cores=4)

    assert plan.is_heavy
    assert (plan.threads, plan.batch_limit) == (4, 1)
    assert plan.row_cost_s == pytest.approx(0.04 / 4)


def test_the_number_of_threads_can_be_set() -> None:
    assert make_plan(Proof(seconds={1: 0.03}, is_batch_safe=True), threads=3, cores=8).threads == 3


@pytest.mark.parametrize(
    ("waiting", "idle", "rows"), [(1, 2, 1), (2, 2, 1), (3, 2, 2), (7, 2, 4), (100, 2, 16), (5, 1, 5)]
)
def test_waiting_rows_are_shared_by_idle_threads(waiting: int, idle: int, rows: int) -> None:
    plan = ExecutionPlan(is_heavy=True, threads=2, cores=2, batch_limit=16, row_cost_s=0.01)

    assert plan.share(waiting, idle) == rows
