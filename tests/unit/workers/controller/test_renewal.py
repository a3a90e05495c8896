"""Runners of before a deployment go one by one, each once another serves in its place."""

from dataclasses import replace

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from tests.unit.workers.controller.test_reconcile import MOVED, ONE, OTHER, READY_ONE, TWO, make_plan
from workers.controller.situation import BUSY_S

OLD_ONE = replace(READY_ONE, is_outdated=True, address="old")
OLD_OTHER = replace(OLD_ONE, version=OTHER, address="old-other")
NEW_ONE = replace(READY_ONE, address="new")
TWICE = DesiredVersion(ref=ONE.ref, digest=ONE.digest, instances=2)


def test_replacement_is_started_beside_the_outdated_runner() -> None:
    plan = make_plan([ONE], OLD_ONE)

    assert (plan.start, plan.drain) == ([ONE], [])


def test_outdated_runner_serves_while_its_replacement_loads() -> None:
    plan = make_plan([ONE], OLD_ONE, replace(NEW_ONE, state=RunnerState.LOADING))

    assert (plan.start, plan.drain) == ([], [])


def test_outdated_runner_goes_when_its_replacement_is_ready() -> None:
    assert make_plan([ONE], OLD_ONE, NEW_ONE).drain == ["old"]
    assert make_plan([ONE], NEW_ONE).drain == []


def test_one_is_replaced_at_a_time() -> None:
    assert make_plan([ONE, OTHER], OLD_ONE, OLD_OTHER).start == [ONE]
    assert make_plan([ONE, OTHER], OLD_OTHER, NEW_ONE).start == [OTHER]
    assert make_plan([ONE, OTHER], OLD_OTHER, replace(OLD_ONE, state=RunnerState.DRAINING), NEW_ONE).start == []


def test_instances_go_one_by_one() -> None:
    second = replace(OLD_ONE, address="old-2", idle_s=1.0)

    assert make_plan([TWICE], OLD_ONE, second, NEW_ONE).drain == ["old-2"]
    assert make_plan([TWICE], OLD_ONE, NEW_ONE).start == [TWICE]
    assert make_plan([TWICE], OLD_ONE, NEW_ONE, replace(NEW_ONE, address="new-2")).drain == ["old"]


def test_outdated_runner_stays_while_its_version_fails_to_start() -> None:
    plan = make_plan([ONE], OLD_ONE, may_start=False)

    assert (plan.start, plan.drain) == ([], [])


def test_outdated_runner_makes_room_where_there_is_none_for_two() -> None:
    plan = make_plan([ONE], OLD_ONE, room=1)

    assert (plan.start, plan.drain) == ([], ["old"])


def test_outdated_runner_that_nobody_wishes_for_goes_as_soon_as_it_is_idle() -> None:
    idle = replace(OLD_ONE, idle_s=BUSY_S)

    assert make_plan([], idle).drain == ["old"]
    assert make_plan([], replace(idle, is_outdated=False)).drain == []
    assert make_plan([], replace(idle, idle_s=0.1)).drain == []
    assert make_plan([], replace(idle, queued_rows=1)).drain == []
    assert make_plan([TWO], idle, stand_ins=MOVED).drain == []


def test_runner_that_is_unloaded_is_not_replaced() -> None:
    plan = make_plan([ONE], OLD_ONE, published=frozenset())

    assert (plan.start, plan.drain) == ([], ["old"])
