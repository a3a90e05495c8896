"""Loading and unloading again and again leaves nothing behind: no process, no file, no descriptor, no memory."""

from dataclasses import dataclass

import psutil
import pytest

from model_store.model_ref import ModelRef
from tests.factories.controllers import ControllerStage, controller_stage

CYCLES = 200
WARM_UP_CYCLES = 20
# Allocators keep what they freed: 180 cycles that each lost one page per runner would lose more than this.
TOLERATED_BYTES = 3 * 2**20


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What the controller and its forkserver hold."""

    processes: int
    descriptors: int
    files: int
    memory_bytes: int


def footprint(stage: ControllerStage) -> Footprint:
    """Measure the controller and all of its children."""
    controller = psutil.Process(stage.controller_pid)
    processes = [controller, *controller.children(recursive=True)]
    return Footprint(
        processes=len(processes),
        descriptors=sum(process.num_fds() for process in processes),
        files=sum(1 for _ in stage.settings.run_dir.rglob("*")),
        # What is theirs alone: their part of what they share with others grows when those end.
        memory_bytes=sum(process.memory_full_info().uss for process in processes),
    )


def load_and_unload(stage: ControllerStage, ref: ModelRef, cycles: int) -> None:
    """Pin and unpin a version, each time until its runner is READY or gone."""
    for _ in range(cycles):
        stage.parts.residency.pin(ref, by="test")
        stage.wait_ready(ref)
        stage.parts.residency.unpin(ref, by="test")
        stage.wait_gone(ref)


@pytest.mark.long
@pytest.mark.alone
def test_two_hundred_cycles_leave_nothing_behind() -> None:
    with controller_stage(runner_idle_s=0.01) as stage:
        stage.publish()
        ref = stage.publish()
        stage.start_controller()
        load_and_unload(stage, ref, WARM_UP_CYCLES)
        before = footprint(stage)

        load_and_unload(stage, ref, CYCLES - WARM_UP_CYCLES)
        after = footprint(stage)

        assert (after.processes, after.descriptors, after.files) == (
            before.processes,
            before.descriptors,
            before.files,
        )
        assert after.memory_bytes < before.memory_bytes + TOLERATED_BYTES
