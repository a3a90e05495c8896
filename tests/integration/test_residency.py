"""Loading, unloading and rolling with a real controller and real runners: what callers see meanwhile."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from app.errors import LoadFailed
from app.inference.messages import RunnerState
from app.services.aliases import AliasMove
from app.services.residency import ResidencyService
from model_store.model_ref import ModelRef
from tests.conftest import current_holdings
from tests.factories.callers import calling
from tests.factories.controllers import ControllerStage, controller_stage
from tests.factories.models import WrongWidth
from tests.factories.waiting import wait_until
from workers.controller.notices import UNLOADED

CALLERS = 4
PATIENCE_S = 30.0
# Long enough to come back to a version that an alias left.
GRACE_S = 6.0


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the processes of a test outlive it: the stage is the module's, and is checked at its end."""


@pytest.fixture(scope="module")
def stage() -> Iterator[ControllerStage]:
    """One stage for all tests here; each brings its own models, and leaves a controller that runs."""
    before = current_holdings()
    with controller_stage(runner_idle_s=GRACE_S) as stage:
        stage.start_controller()
        yield stage
    wait_until(lambda: not current_holdings() - before)


@pytest.fixture
def residency(stage: ControllerStage) -> ResidencyService:
    return stage.parts.residency


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The test's own model."""
    return str(request.node.name)


@pytest.fixture
def ref(stage: ControllerStage, name: str) -> ModelRef:
    """A READY version."""
    ref = stage.publish(name=name)
    stage.wait_ready(ref)
    return ref


def load(residency: ResidencyService, ref: ModelRef) -> None:
    residency.load(ref, by="test", deadline=time.monotonic() + PATIENCE_S)


def point_default(stage: ControllerStage, ref: ModelRef) -> None:
    stage.parts.aliases.set(ref.name, "default", AliasMove(version=str(ref.version), by="test"))


def test_unloaded_version_stays_unloaded_until_it_is_loaded(
    stage: ControllerStage, residency: ResidencyService, ref: ModelRef
) -> None:
    before = stage.wait_ready(ref)
    residency.unload(ref, by="test")
    stage.wait_gone(ref)
    stage.directory.want(ref, is_pressing=True)
    wait_until(lambda: stage.directory.why_held_back(ref) == UNLOADED)
    assert stage.directory.runners(ref) == []

    load(residency, ref)

    (after,) = stage.directory.ready(ref)
    assert after.pid != before.pid
    assert stage.directory.why_held_back(ref) == ""


def test_load_straight_after_unload_is_answered_by_a_new_runner(
    stage: ControllerStage, residency: ResidencyService, ref: ModelRef
) -> None:
    before = stage.wait_ready(ref)
    residency.unload(ref, by="test")
    load(residency, ref)

    (after,) = stage.directory.ready(ref)
    assert after.pid != before.pid


def test_unload_drains_what_is_held(stage: ControllerStage, residency: ResidencyService, ref: ModelRef) -> None:
    with calling(ref, stage.environment, count=CALLERS, alias="default") as callers:
        residency.unload(ref, by="test")
        stage.wait_gone(ref)
        load(residency, ref)
        answered = callers.finish()

    assert answered.wrong == 0
    # Calls that were waiting for a version that is gone wait on, or hear that it was unloaded; none is lost.
    assert set(answered.failures) <= {"model_unloaded", "model_loading"}
    assert "model_unloaded" in answered.failures


def test_pinned_version_runs_though_nothing_names_it(
    stage: ControllerStage, residency: ResidencyService, ref: ModelRef, name: str
) -> None:
    unnamed = stage.publish(name=name)
    residency.pin(unnamed, by="test")
    stage.wait_ready(unnamed)

    residency.unpin(unnamed, by="test")

    stage.wait_gone(unnamed)
    assert stage.directory.ready(ref)


def test_version_that_nothing_names_is_loaded_by_its_first_caller(stage: ControllerStage, ref: ModelRef) -> None:
    unnamed = stage.publish(name=ref.name.removesuffix(f"-{stage.token}"))

    with calling(unnamed, stage.environment, count=CALLERS) as callers:
        outcome = callers.finish()

    assert (outcome.wrong, outcome.failures) == (0, {})
    assert outcome.answered


def test_killed_instance_costs_only_what_it_held(
    stage: ControllerStage, residency: ResidencyService, ref: ModelRef
) -> None:
    residency.set_instances(ref, 2, by="test")
    wait_until(lambda: len(stage.directory.ready(ref)) == 2, timeout_s=PATIENCE_S)
    victim, other = stage.directory.ready(ref)

    with calling(ref, stage.environment, count=CALLERS) as callers:
        os.kill(victim.pid, signal.SIGKILL)
        wait_until(lambda: _pids(stage, ref) - {victim.pid, other.pid}, timeout_s=PATIENCE_S)
        outcome = callers.finish()

    # The other one is READY: each row that was lost is asked again there.
    assert (outcome.wrong, outcome.failures) == (0, {})
    assert other.pid in _pids(stage, ref)
    residency.set_instances(ref, 1, by="test")
    wait_until(lambda: len(stage.directory.runners(ref)) == 1, timeout_s=PATIENCE_S)


@pytest.mark.long
def test_alias_moves_and_comes_back_without_a_failed_request(stage: ControllerStage, ref: ModelRef, name: str) -> None:
    newer = stage.publish(name=name)
    with calling(ref, stage.environment, count=CALLERS, alias="default") as callers:
        point_default(stage, newer)
        stage.wait_ready(newer)
        first = stage.wait_ready(ref)
        point_default(stage, ref)
        rolled_back = stage.wait_ready(ref)
        point_default(stage, newer)
        stage.wait_gone(ref)
        outcome = callers.finish()

    assert (outcome.wrong, outcome.failures) == (0, {})
    assert set(outcome.versions) == {1, 2}
    # In the grace period the old version's runner is still there.
    assert rolled_back.pid == first.pid


@pytest.mark.parametrize("fault", [pytest.param("wrong-width", marks=pytest.mark.long), "damaged"])
def test_version_that_cannot_load_costs_no_request(
    stage: ControllerStage, residency: ResidencyService, fault: str
) -> None:
    ref = stage.publish(name=fault)
    stage.wait_ready(ref)
    bad = stage.publish(WrongWidth() if fault == "wrong-width" else None, name=fault)
    if fault == "damaged":
        damage(stage, bad)

    with calling(ref, stage.environment, count=CALLERS, alias="default") as callers:
        point_default(stage, bad)
        reason = stage.wait_failed(bad).reason
        with pytest.raises(LoadFailed) as caught:
            load(residency, bad)
        outcome = callers.finish()

    assert reason in caught.value.detail
    assert (outcome.wrong, outcome.failures, set(outcome.versions)) == (0, {}, {1})
    assert stage.directory.ready(ref)


@pytest.mark.long
def test_successor_of_a_killed_controller_keeps_instances_and_unload_wishes(
    stage: ControllerStage, residency: ResidencyService, ref: ModelRef, name: str
) -> None:
    residency.set_instances(ref, 2, by="test")
    unloaded = stage.publish(name=name, alias="other")
    stage.wait_ready(unloaded)
    residency.unload(unloaded, by="test")
    wait_until(lambda: len(stage.directory.ready(ref)) == 2, timeout_s=PATIENCE_S)
    stage.wait_gone(unloaded)
    before = _pids(stage, ref)

    with calling(ref, stage.environment, count=CALLERS) as callers:
        stage.kill_controller()
        stage.start_controller()
        wait_until(lambda: stage.directory.snapshot.controller_pid == stage.controller_pid, timeout_s=PATIENCE_S)
        wait_until(lambda: stage.directory.why_held_back(unloaded) == UNLOADED)
        outcome = callers.finish()

    assert (outcome.wrong, outcome.failures) == (0, {})
    assert _pids(stage, ref) == before
    assert stage.directory.runners(unloaded) == []


def damage(stage: ControllerStage, ref: ModelRef) -> None:
    """Change a byte of a published artifact."""
    path = stage.parts.store.local_folder(ref) / "model.pt"
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _pids(stage: ControllerStage, ref: ModelRef) -> set[int]:
    return {record.pid for record in stage.directory.runners(ref) if record.state is RunnerState.READY}
