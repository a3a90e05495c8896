"""The controller with real runners, under everything that can happen to it, to them and to Redis."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.inference.messages import RunnerState
from app.infra.metrics import Exposition
from model_store.model_ref import ModelRef
from tests.conftest import current_holdings
from tests.factories.callers import calling
from tests.factories.controllers import ControllerStage, controller_stage
from tests.factories.models import ForkingColourModel, WrongWidth
from tests.factories.waiting import wait_until

CALLERS = 8
# Five seconds are the promise: service is back by itself. The tests share the cores with the load they make.
BACK_S = 15.0


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the processes of a test outlive it: the stage is the module's, and is checked at its end."""


@pytest.fixture(scope="module")
def stage() -> Iterator[ControllerStage]:
    """One stage for all tests here; each brings its own models, and leaves a controller and a Redis that run."""
    before = current_holdings()
    with controller_stage(runner_silence_s=3.0, runner_idle_s=2.0) as stage:
        stage.start_controller()
        yield stage
    wait_until(lambda: not current_holdings() - before)


@pytest.fixture
def ref(stage: ControllerStage, request: pytest.FixtureRequest) -> ModelRef:
    """A READY version of a model of the test's own."""
    ref = stage.publish(name=request.node.name.replace("[", "-").replace("]", ""))
    stage.wait_ready(ref)
    return ref


def niceness(pid: int) -> set[tuple[str, int]]:
    """Return name and niceness of a process's threads; those that end meanwhile are left out."""
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found.add(((task / "comm").read_text().strip(), os.getpriority(os.PRIO_PROCESS, int(task.name))))
    return found


@pytest.mark.long
def test_runner_gives_way_while_it_loads_and_not_when_it_serves(stage: ControllerStage) -> None:
    ref = stage.publish(ForkingColourModel(work=100), name="gives-way")
    wait_until(lambda: stage.directory.runners(ref), timeout_s=30)
    (runner,) = stage.directory.runners(ref)
    own = os.getpriority(os.PRIO_PROCESS, runner.pid)
    wait_until(lambda: max(level for _, level in niceness(runner.pid)) > own, timeout_s=30)

    stage.wait_ready(ref)

    # The thread that loaded says so, and then ends.
    wait_until(lambda: {level for _, level in niceness(runner.pid)} == {own})
    assert ("PTThreadPool", own) in niceness(runner.pid)


def test_killed_runner_costs_only_what_it_held(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    with calling(ref, stage.environment, count=CALLERS) as callers:
        os.kill(before.pid, signal.SIGKILL)
        stage.wait_ready(ref, but_not=before.pid, timeout_s=BACK_S)
        outcome = callers.finish()

    assert outcome.wrong == 0
    assert set(outcome.failures) <= {"runner_lost"}
    assert sum(outcome.failures.values()) <= CALLERS
    assert outcome.longest_gap_s < BACK_S


def test_terminated_runner_costs_nothing(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    with calling(ref, stage.environment, count=CALLERS) as callers:
        os.kill(before.pid, signal.SIGTERM)
        stage.wait_ready(ref, but_not=before.pid)
        outcome = callers.finish()

    assert (outcome.wrong, outcome.failures) == (0, {})


def test_runner_killed_again_and_again_waits_longer(stage: ControllerStage, ref: ModelRef) -> None:
    first = stage.wait_ready(ref)
    os.kill(first.pid, signal.SIGKILL)
    second = stage.wait_ready(ref, but_not=first.pid)
    os.kill(second.pid, signal.SIGKILL)

    assert "SIGKILL" in stage.wait_failed(ref).reason
    assert stage.wait_ready(ref, but_not=second.pid).pid != second.pid


@pytest.mark.long
def test_killed_controller_costs_nothing_and_its_successor_adopts(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    with calling(ref, stage.environment, count=CALLERS) as callers:
        stage.kill_controller()
        stage.start_controller()
        wait_until(lambda: stage.directory.snapshot.controller_pid == stage.controller_pid, timeout_s=30)
        adopted = stage.wait_ready(ref)
        outcome = callers.finish()

    assert (adopted.pid, adopted.address, adopted.digest) == (before.pid, before.address, before.digest)
    assert (outcome.wrong, outcome.failures) == (0, {})


def test_successor_of_a_killed_controller_counts_on(stage: ControllerStage, ref: ModelRef) -> None:
    dead = stage.controller_pid
    stage.kill_controller()
    stage.start_controller()
    wait_until(lambda: stage.directory.snapshot.controller_pid == stage.controller_pid, timeout_s=30)

    shown = Exposition(stage.settings.metrics_dir).text().decode()

    assert list(stage.settings.metrics_dir.glob(f"*/*_{dead}.db")) == []
    assert f'galley_controller_starts_total{{model="{ref.name}",version="1"}} 1.0' in shown
    assert f'galley_controller_load_seconds_count{{model="{ref.name}",version="1"}} 1.0' in shown


def test_forkserver_of_a_killed_controller_ends_and_its_runners_live(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    (forkserver,) = forkservers(stage)
    stage.kill_controller()
    wait_until(lambda: not _is_running(forkserver))

    assert before.pid in stage.runner_pids()
    stage.start_controller()
    assert stage.wait_ready(ref).pid == before.pid


def test_killed_forkserver_is_replaced_before_it_is_needed(stage: ControllerStage, ref: ModelRef) -> None:
    before, (forkserver,) = stage.wait_ready(ref), forkservers(stage)

    forkserver.kill()
    wait_until(lambda: not _is_running(forkserver) and forkservers(stage))

    assert stage.wait_ready(ref).pid == before.pid


@pytest.mark.long
def test_runner_that_died_without_a_controller_is_replaced(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    stage.kill_controller()
    os.kill(before.pid, signal.SIGKILL)
    stage.start_controller()

    after = stage.wait_ready(ref, but_not=before.pid)

    assert before.pid not in stage.runner_pids()
    assert not _socket_exists(before.address)
    assert _socket_exists(after.address)


@pytest.mark.long
@pytest.mark.parametrize("outage", ["stop", "freeze"])
def test_redis_away_costs_nothing(stage: ControllerStage, ref: ModelRef, outage: str) -> None:
    server = stage.redis_server
    with calling(ref, stage.environment, count=CALLERS) as callers:
        {"stop": server.stop, "freeze": server.freeze}[outage]()
        wait_until(lambda: not stage.directory.is_connected)
        {"stop": server.start, "freeze": server.thaw}[outage]()
        wait_until(lambda: stage.directory.is_connected)
        back_at = stage.directory.snapshot.published_at
        wait_until(lambda: stage.directory.snapshot.published_at > back_at)
        outcome = callers.finish()

    assert (outcome.wrong, outcome.failures) == (0, {})


@pytest.mark.long
def test_hung_runner_is_killed_and_replaced(stage: ControllerStage, ref: ModelRef) -> None:
    before = stage.wait_ready(ref)
    os.kill(before.pid, signal.SIGSTOP)

    after = stage.wait_ready(ref, but_not=before.pid)

    assert after.state is RunnerState.READY
    assert before.pid not in stage.runner_pids()


def test_version_that_cannot_load_says_why_and_spares_its_predecessor(stage: ControllerStage, ref: ModelRef) -> None:
    good = stage.wait_ready(ref)
    name = ref.name.removesuffix(f"-{stage.token}")
    bad = stage.publish(WrongWidth(), name=name, alias="default")

    failed = stage.wait_failed(bad)

    assert failed.reason
    assert stage.wait_ready(ref).pid == good.pid


def test_start_that_the_disk_refuses_is_tried_again(stage: ControllerStage, ref: ModelRef) -> None:
    before, controller = stage.wait_ready(ref), stage.controller_pid
    with stage.without_runner_folder():
        new = stage.publish(name="no-space")
        assert "No such file" in stage.wait_failed(new).reason

    stage.wait_ready(new)

    assert stage.wait_ready(ref).pid == before.pid
    assert stage.controller_pid == controller


def test_moved_alias_replaces_the_runner(stage: ControllerStage, ref: ModelRef) -> None:
    newer = stage.publish(name=ref.name.removesuffix(f"-{stage.token}"), alias="default")

    stage.wait_ready(newer)
    stage.wait_gone(ref)

    assert stage.wait_ready(newer).version == 2


def test_version_nobody_named_runs_while_it_is_called(stage: ControllerStage, ref: ModelRef) -> None:
    unnamed = stage.publish(name=ref.name.removesuffix(f"-{stage.token}"))
    assert stage.directory.runners(unnamed) == []

    with calling(unnamed, stage.environment, count=1) as callers:
        outcome = callers.finish()
    stage.wait_gone(unnamed)

    assert outcome.answered
    assert outcome.failures == {}


def test_memory_of_a_runner_is_measured(stage: ControllerStage, ref: ModelRef) -> None:
    wait_until(lambda: stage.wait_ready(ref).memory_bytes > 0)

    assert 2**20 < stage.wait_ready(ref).memory_bytes < 2**30


def test_second_controller_refuses_to_start(stage: ControllerStage, ref: ModelRef) -> None:
    assert stage.run_second_controller() == 1
    assert stage.wait_ready(ref)


def test_stopped_controller_drains_all_runners(stage: ControllerStage, ref: ModelRef) -> None:
    with calling(ref, stage.environment, count=CALLERS) as callers:
        assert stage.stop_controller() == 0
        runners = stage.runner_pids()
        outcome = callers.finish()
    stage.start_controller()

    assert runners == set()
    assert outcome.wrong == 0
    assert set(outcome.failures) <= {"model_loading"}


def forkservers(stage: ControllerStage) -> list[psutil.Process]:
    """Return the controller's living forkserver, if any."""
    living = [child for child in stage.controller_children() if _is_running(child)]
    return [child for child in living if "multiprocessing.forkserver" in " ".join(child.cmdline())]


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _socket_exists(address: str) -> bool:
    return Path(address.removeprefix("ipc://")).exists()
