"""The plan: what to start, drain and kill."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.reconcile import DRAIN_MARGIN_S, Limits, Plan, RunnerView, plan

LIMITS = Limits(load_slots=2, idle_s=60.0, silence_s=15.0, drain_s=30.0, load_s=300.0)


def version(number: int, name: str = "digits") -> DesiredVersion:
    return DesiredVersion(ref=ModelRef(name, number), digest=f"{number:064x}")


ONE, TWO, THREE, OTHER = version(1), version(2), version(3), version(1, "flowers")
READY_ONE = RunnerView(version=ONE, address="a", state=RunnerState.READY)
READY_TWO = RunnerView(version=TWO, address="b", state=RunnerState.READY)


def make_plan(desired: Sequence[DesiredVersion], *runners: RunnerView, may_start: bool = True) -> Plan:
    return plan(desired, runners, LIMITS, may_start=lambda _: may_start)


def test_nothing_to_do() -> None:
    assert make_plan([ONE], READY_ONE) == Plan(start=[], drain=[], kill=[])


def test_desired_version_without_a_runner_is_started() -> None:
    assert make_plan([ONE, TWO], READY_ONE).start == [TWO]


def test_waiting_version_is_not_started() -> None:
    assert make_plan([ONE], may_start=False).start == []


def test_no_more_are_started_than_may_load_at_a_time() -> None:
    assert make_plan([ONE, TWO, THREE]).start == [ONE, TWO]
    assert make_plan([ONE, TWO, THREE], replace(READY_ONE, state=RunnerState.LOADING)).start == [TWO]


@pytest.mark.parametrize("state", [RunnerState.DRAINING, RunnerState.FAILED])
def test_runner_that_takes_no_requests_is_replaced(state: RunnerState) -> None:
    assert make_plan([ONE], replace(READY_ONE, state=state)).start == [ONE]


def test_runner_of_other_bytes_is_replaced_first_and_drained_then() -> None:
    reissued = replace(ONE, digest="f" * 64)
    old = replace(READY_ONE, idle_s=60.0)

    assert make_plan([reissued], old) == Plan(start=[reissued], drain=[], kill=[])
    assert make_plan([reissued], old, replace(READY_ONE, version=reissued, address="c")).drain == ["a"]


def test_undesired_runner_is_drained_when_it_is_idle() -> None:
    assert make_plan([], replace(READY_ONE, idle_s=59.0)).drain == []
    assert make_plan([], replace(READY_ONE, idle_s=60.0)).drain == ["a"]


def test_predecessor_stays_until_its_successor_is_ready() -> None:
    old = replace(READY_ONE, idle_s=600.0)

    assert make_plan([TWO], old).drain == []
    assert make_plan([TWO], old, replace(READY_TWO, state=RunnerState.FAILED)).drain == []
    assert make_plan([TWO], old, READY_TWO).drain == ["a"]


def test_other_models_keep_nobody() -> None:
    assert make_plan([OTHER], replace(READY_ONE, idle_s=60.0)).drain == ["a"]


def test_draining_runner_is_not_told_twice() -> None:
    assert make_plan([], replace(READY_ONE, idle_s=60.0, state=RunnerState.DRAINING)).drain == []


def test_silent_runner_is_killed() -> None:
    assert make_plan([ONE], replace(READY_ONE, silent_s=15.0)).kill == []
    assert make_plan([ONE], replace(READY_ONE, silent_s=15.1)).kill == ["a"]


def test_runner_that_drains_for_too_long_is_killed() -> None:
    draining = replace(READY_ONE, state=RunnerState.DRAINING)

    assert make_plan([], replace(draining, draining_s=30.0 + DRAIN_MARGIN_S)).kill == []
    assert make_plan([], replace(draining, draining_s=30.1 + DRAIN_MARGIN_S)).kill == ["a"]


def test_runner_that_loads_for_ever_is_killed() -> None:
    slow = replace(READY_ONE, state=RunnerState.LOADING, loading_s=299.0)

    assert make_plan([ONE], slow).kill == []
    assert make_plan([ONE], replace(slow, loading_s=301.0)).kill == ["a"]
