"""What follows from a situation; tests of the plan show what it is for."""

from dataclasses import replace

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.situation import SHARED_BYTES, Limits, Prospect, RunnerView, Situation
from workers.controller.wishes import Wishes

OLD, NEW = (DesiredVersion(ref=ModelRef("digits", number), digest=f"{number:064x}") for number in (1, 2))
READY_OLD = RunnerView(version=OLD, address="a", state=RunnerState.READY, memory_bytes=7, private_bytes=7)
READY_NEW = replace(READY_OLD, version=NEW, address="b")
LIMITS = Limits(load_slots=1, idle_s=1.0, silence_s=1.0, drain_s=1.0, load_s=1.0)


def situation(*runners: RunnerView, is_new: bool = True) -> Situation:
    """Return one in which an alias moved from OLD to NEW."""
    wishes = Wishes(versions=(NEW,), stand_ins={OLD.ref: frozenset({NEW.ref})})
    prospect = Prospect(is_new=is_new, private_bytes=50)
    return Situation(wishes=wishes, runners=runners, limits=LIMITS, prospect=lambda _: prospect)


def test_old_version_stands_in_until_the_new_one_was_ready() -> None:
    assert situation(READY_OLD).stands_in(READY_OLD)
    assert situation(READY_OLD).has_stand_in(NEW)
    assert not situation(READY_OLD, READY_NEW).stands_in(READY_OLD)
    assert not situation(READY_OLD, is_new=False).stands_in(READY_OLD)


def test_version_without_a_ready_predecessor_has_no_stand_in() -> None:
    assert not situation().has_stand_in(NEW)
    assert not situation(replace(READY_OLD, state=RunnerState.LOADING)).has_stand_in(NEW)


def test_runner_of_other_bytes_stands_in_for_its_reissue() -> None:
    reissued = replace(NEW, digest="f" * 64)
    scene = Situation(
        wishes=Wishes(versions=(reissued,)), runners=[READY_NEW], limits=LIMITS, prospect=lambda _: Prospect()
    )

    assert scene.stands_in(READY_NEW)


def test_runner_that_loads_is_counted_with_what_it_will_need() -> None:
    scene = situation(READY_OLD)

    assert scene.held_bytes(READY_OLD) == 7
    assert scene.held_bytes(replace(READY_OLD, memory_bytes=0)) == 50
    assert scene.held_bytes(replace(READY_OLD, state=RunnerState.LOADING)) == 50
    assert scene.held_bytes(replace(READY_OLD, state=RunnerState.LOADING, memory_bytes=60)) == 60


def test_what_runners_share_stays_with_the_others() -> None:
    # Three runners share 120 with the forkserver, and have 10 each for themselves.
    crowd = [replace(READY_OLD, address=f"{number}", memory_bytes=40, private_bytes=10) for number in range(3)]
    pair = [replace(runner, memory_bytes=50) for runner in crowd[:2]]
    known = Prospect(private_bytes=10)

    of_three = Situation(wishes=Wishes(), runners=crowd, limits=LIMITS, prospect=lambda _: known)
    of_two = replace(of_three, runners=pair)

    assert of_three.freed_bytes(crowd[0]) == 3 * 40 - 2 * 50
    assert of_two.need_bytes(NEW) == 3 * 40 - 2 * 50
    assert replace(of_three, runners=[]).need_bytes(NEW) == 10 + SHARED_BYTES // 2


def test_runner_just_born_is_counted_with_its_share() -> None:
    # What it takes of the share is missing in the others' already.
    crowd = [replace(READY_OLD, address=f"{number}", memory_bytes=40, private_bytes=10) for number in range(3)]
    crowd[0] = born = replace(crowd[0], state=RunnerState.LOADING, memory_bytes=0, private_bytes=0)
    known = Prospect(private_bytes=10)
    scene = Situation(wishes=Wishes(), runners=crowd, limits=LIMITS, prospect=lambda _: known)

    assert (scene.held_bytes(born), scene.freed_bytes(born)) == (40, 3 * 40 - 2 * 50)
