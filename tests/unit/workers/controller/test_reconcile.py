"""The plan: what to start, drain and kill."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.budget import NO_ROOM, NO_ROOM_BESIDE_FIXED
from workers.controller.reconcile import DRAIN_MARGIN_S, SLOT_S, Plan, plan
from workers.controller.situation import Limits, Prospect, RunnerView, Situation
from workers.controller.wishes import Wishes

LIMITS = Limits(load_slots=2, idle_s=60.0, silence_s=15.0, drain_s=30.0, load_s=300.0)
NEED_BYTES = 10


def version(number: int, name: str = "digits", **changes: Any) -> DesiredVersion:
    return DesiredVersion(ref=ModelRef(name, number), digest=f"{number:064x}", **changes)


ONE, TWO, THREE, OTHER = version(1), version(2), version(3), version(1, "flowers")
ALL = frozenset(each.ref for each in (ONE, TWO, THREE, OTHER))
READY_ONE = RunnerView(
    version=ONE,
    address="a",
    state=RunnerState.READY,
    memory_bytes=NEED_BYTES,
    private_bytes=NEED_BYTES,
    ready_s=100.0,
)
READY_TWO = replace(READY_ONE, version=TWO, address="b")
STARTED = Prospect(private_bytes=NEED_BYTES)
# An alias moved from 1 to 2.
MOVED = {ONE.ref: frozenset({TWO.ref})}


def make_plan(
    desired: Sequence[DesiredVersion],
    *runners: RunnerView,
    may_start: bool = True,
    room: int = 0,
    waited: Sequence[DesiredVersion] = (),
    known: Sequence[DesiredVersion] = (),
    **wishes: Any,
) -> Plan:
    """Plan with memory for `room` runners (0 is without a limit); callers wait for `waited`, `known` were READY."""

    def prospect(version: DesiredVersion) -> Prospect:
        waited_s = float(waited.index(version)) if version in waited else None
        return replace(STARTED, may_start=may_start, waited_s=waited_s, is_new=version not in known)

    limits = replace(LIMITS, budget_bytes=int(room * NEED_BYTES * 1.1))
    wished = Wishes(versions=tuple(desired), **{"published": ALL, **wishes})
    return plan(Situation(wishes=wished, runners=runners, limits=limits, prospect=prospect))


def test_nothing_to_do() -> None:
    assert make_plan([ONE], READY_ONE) == Plan(start=[], drain=[], kill=[], evicted=[])


def test_desired_version_without_a_runner_is_started() -> None:
    assert make_plan([ONE, TWO], READY_ONE).start == [TWO]


def test_waiting_version_is_not_started() -> None:
    assert make_plan([ONE], may_start=False).start == []


def test_no_more_are_started_than_may_load_at_a_time() -> None:
    assert make_plan([ONE, TWO, THREE]).start == [ONE, TWO]
    assert make_plan([ONE, TWO, THREE], replace(READY_ONE, state=RunnerState.LOADING)).start == [TWO]


def test_loads_that_loop_leave_the_slots_to_others() -> None:
    looping = replace(READY_ONE, state=RunnerState.LOADING, loading_s=SLOT_S + 0.1)

    assert make_plan([ONE, TWO, THREE, OTHER], looping, replace(looping, version=TWO)).start == [THREE, OTHER]


@pytest.mark.parametrize("state", [RunnerState.DRAINING, RunnerState.FAILED])
def test_runner_that_takes_no_requests_is_replaced(state: RunnerState) -> None:
    assert make_plan([ONE], replace(READY_ONE, state=state)).start == [ONE]


def test_runner_of_other_bytes_is_replaced_first_and_drained_then() -> None:
    reissued = replace(ONE, digest="f" * 64)
    old = replace(READY_ONE, idle_s=60.0)

    assert make_plan([reissued], old) == Plan(start=[reissued], drain=[], kill=[], evicted=[])
    assert make_plan([reissued], old, replace(READY_ONE, version=reissued, address="c")).drain == ["a"]


def test_undesired_runner_is_drained_when_it_is_idle() -> None:
    assert make_plan([], replace(READY_ONE, idle_s=59.0)).drain == []
    assert make_plan([], replace(READY_ONE, idle_s=60.0)).drain == ["a"]


def test_predecessor_stays_until_its_successor_is_ready() -> None:
    old = replace(READY_ONE, idle_s=600.0)

    assert make_plan([TWO], old, stand_ins=MOVED).drain == []
    assert make_plan([TWO], old, replace(READY_TWO, state=RunnerState.FAILED), stand_ins=MOVED).drain == []
    assert make_plan([TWO], old, READY_TWO, stand_ins=MOVED).drain == ["a"]


def test_nobody_stands_in_for_a_version_that_was_ready_once() -> None:
    assert make_plan([TWO], replace(READY_ONE, idle_s=600.0), stand_ins=MOVED, known=[TWO]).drain == ["a"]


def test_version_no_alias_came_from_stands_in_for_nobody() -> None:
    assert make_plan([TWO], replace(READY_ONE, idle_s=600.0)).drain == ["a"]


def test_unloaded_version_goes_at_once() -> None:
    busy = replace(READY_ONE, idle_s=0.0, queued_rows=3)

    assert make_plan([], busy, unloaded=frozenset({ONE.ref})).drain == ["a"]
    assert make_plan([TWO], busy, unloaded=frozenset({ONE.ref}), stand_ins=MOVED).drain == ["a"]
    assert make_plan([], replace(busy, state=RunnerState.LOADING), unloaded=frozenset({ONE.ref})).drain == ["a"]


def test_deleted_version_goes_at_once() -> None:
    assert make_plan([TWO], READY_ONE, published=frozenset({TWO.ref})).drain == ["a"]


def test_missing_instances_are_started() -> None:
    assert make_plan([version(1, instances=3)], READY_ONE).start == [ONE, ONE]


def test_surplus_instances_are_drained_the_loading_and_the_idle_first() -> None:
    loading = replace(READY_ONE, address="loading", state=RunnerState.LOADING)
    idle = replace(READY_ONE, address="idle", idle_s=5.0)

    assert make_plan([version(1, instances=2)], loading, idle, READY_ONE).drain == ["loading"]
    assert make_plan([ONE], idle, READY_ONE, loading).drain == ["idle", "loading"]


def test_pinned_version_is_never_evicted() -> None:
    pinned = version(1, is_pinned=True)
    outcome = make_plan([pinned, TWO], replace(READY_ONE, idle_s=50.0), room=1, waited=[TWO])

    assert (outcome.evicted, outcome.drain, outcome.start) == ([], [], [])
    assert outcome.held_back == {TWO: NO_ROOM_BESIDE_FIXED}


def test_waited_for_version_evicts_the_least_recently_used_and_starts_when_it_is_gone() -> None:
    old, fresh = replace(READY_ONE, idle_s=50.0), replace(READY_TWO, idle_s=5.0)

    first = make_plan([ONE, TWO, THREE], fresh, old, room=2, waited=[THREE])
    assert (first.evicted, first.drain, first.start) == ([ONE], ["a"], [])

    second = make_plan([ONE, TWO, THREE], fresh, replace(old, state=RunnerState.DRAINING), room=2, waited=[THREE])
    assert (second.evicted, second.drain, second.start) == ([], [], [])

    third = make_plan([ONE, TWO, THREE], fresh, room=2, waited=[THREE])
    assert (third.drain, third.start, third.held_back) == ([], [THREE], {ONE: NO_ROOM})


def test_what_the_dying_shared_is_no_room_for_others() -> None:
    # Three that share 160: each is counted with 40 of it, and its own 10. Without one of them it is 53 each.
    runner = replace(READY_ONE, memory_bytes=50, idle_s=5.0)
    dying = replace(runner, state=RunnerState.DRAINING)
    crowd = [replace(runner, version=TWO, address="b"), replace(runner, version=OTHER, address="c"), dying]
    needs = {THREE: 25}
    situation = Situation(
        wishes=Wishes(versions=(ONE, TWO, OTHER, THREE), published=ALL),
        runners=crowd,
        limits=replace(LIMITS, budget_bytes=180),
        prospect=lambda each: Prospect(private_bytes=needs.get(each, 10), waited_s=1.0 if each in needs else None),
    )

    outcome = plan(situation)

    # ONE gave way to THREE: it must not come back into what is left until it is gone.
    assert (outcome.start, outcome.drain, outcome.held_back) == ([], [], {ONE: NO_ROOM})


def test_named_version_starts_only_while_there_is_room() -> None:
    outcome = make_plan([ONE, TWO, THREE], replace(READY_ONE, idle_s=50.0), room=2)

    assert (outcome.start, outcome.drain) == ([TWO], [])
    assert outcome.held_back == {THREE: NO_ROOM}


def test_successor_comes_beside_its_predecessor_or_not_at_all() -> None:
    old, other = replace(READY_ONE, idle_s=50.0), replace(READY_TWO, version=OTHER, idle_s=5.0)

    assert make_plan([TWO, OTHER], old, other, room=2, stand_ins=MOVED).evicted == [OTHER]
    assert make_plan([TWO], old, room=1, stand_ins=MOVED).held_back == {TWO: NO_ROOM_BESIDE_FIXED}


@pytest.mark.parametrize(
    ("changes", "is_settled"),
    [
        ({"state": RunnerState.LOADING}, False),
        ({"ready_s": 1.0, "idle_s": 1.5}, False),
        ({"ready_s": 2.0, "idle_s": 2.5}, True),
        ({"ready_s": 4.0, "idle_s": 0.5}, False),
        ({"ready_s": 4.0, "idle_s": 4.5, "queued_rows": 1}, False),
        ({"ready_s": 5.0, "idle_s": 0.5}, True),
        ({"ready_s": 1.5, "idle_s": 1.1}, True),
    ],
)
def test_new_runner_has_its_turn_before_it_is_evicted(changes: dict[str, Any], is_settled: bool) -> None:
    runner = replace(READY_ONE, **changes)

    assert make_plan([ONE, TWO], runner, room=1, waited=[TWO]).evicted == [ONE] * is_settled


@given(
    budget=st.integers(10, 200),
    held=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(list(RunnerState)), st.booleans()), max_size=8),
    needs=st.lists(st.integers(1, 60), max_size=8),
)
def test_what_lives_and_what_starts_stays_within_the_budget(
    budget: int, held: list[tuple[int, RunnerState, bool]], needs: list[int]
) -> None:
    crowd = [
        replace(READY_ONE, address=f"{number}", version=version(number + 1), state=state, memory_bytes=memory_bytes)
        for number, (memory_bytes, state, _) in enumerate(held)
    ]
    wished = {version(number + 1, is_pinned=is_pinned): 10 for number, (_, _, is_pinned) in enumerate(held)}
    wished |= {version(number + 1, "flowers"): need for number, need in enumerate(needs)}
    situation = Situation(
        wishes=Wishes(versions=tuple(wished), published=frozenset(each.ref for each in wished)),
        runners=[replace(runner, private_bytes=runner.memory_bytes // 2) for runner in crowd],
        limits=replace(LIMITS, budget_bytes=budget, load_slots=100),
        prospect=lambda each: Prospect(private_bytes=wished[each], waited_s=1.0),
    )

    outcome = plan(situation)

    lives = sum(situation.held_bytes(runner) for runner in situation.runners)
    assert not outcome.start or lives + sum(situation.need_bytes(each) for each in outcome.start) <= budget
    pinned = {runner.address for runner in crowd if runner.version in situation.pinned}
    assert not pinned & set(outcome.drain)


def test_version_larger_than_the_budget_fails_and_costs_nobody() -> None:
    limits = replace(LIMITS, budget_bytes=NEED_BYTES)
    wishes = Wishes(versions=(ONE, TWO), published=ALL)
    situation = Situation(
        wishes=wishes, runners=[READY_ONE], limits=limits, prospect=lambda _: replace(STARTED, private_bytes=11)
    )

    outcome = plan(situation)

    assert (outcome.start, outcome.drain) == ([], [])
    assert "MEMORY_BUDGET" in outcome.oversized[TWO]


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
