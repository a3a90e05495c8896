"""More models than memory has room for, with a real controller and real runners."""

import itertools
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from torch import nn

from app.errors import LoadFailed
from app.inference.client import InferenceClient
from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef
from tests.conftest import current_holdings
from tests.factories.controllers import ControllerStage, controller_stage
from tests.factories.models import SlowColourModel
from tests.factories.pictures import plain_picture
from tests.factories.waiting import wait_until
from workers.controller.budget import MIB
from workers.controller.memory import pss_bytes

pytestmark = [pytest.mark.long, pytest.mark.alone]

Publish = Callable[..., list[ModelRef]]

# Three tiny runners together hold about 220 MiB, four 250 MiB: most of it is torch, shared with the forkserver.
BUDGET_BYTES = 236 * MIB
ROOM = 3
PATIENCE_S = 30.0
TOLERATED_BYTES = 3 * MIB
# A square of so many floats is 256 MiB.
LARGE_SIDE = 8192


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the processes of a test outlive it: the stage is the module's, and is checked at its end."""


@pytest.fixture(scope="module")
def stage() -> Iterator[ControllerStage]:
    """A stage with room for three runners."""
    before = current_holdings()
    with controller_stage(memory_budget=BUDGET_BYTES) as stage:
        stage.start_controller()
        yield stage
    wait_until(lambda: not current_holdings() - before)


@pytest.fixture
def publish(stage: ControllerStage) -> Iterator[Publish]:
    """Publish tiny models; they are unloaded at the end, so that the next test finds an empty machine."""
    refs: list[ModelRef] = []

    def publish(count: int, name: str, module: nn.Module | None = None) -> list[ModelRef]:
        new = [stage.publish(module, name=f"{name}{number}") for number in range(count)]
        refs.extend(new)
        return new

    yield publish
    for ref in refs:
        stage.parts.residency.unload(ref, by="test")
    wait_until(lambda: not stage.runner_pids(), timeout_s=PATIENCE_S)


@pytest.fixture
def client(stage: ControllerStage) -> Iterator[InferenceClient]:
    client = InferenceClient(stage.directory)
    yield client
    client.close()


def call(client: InferenceClient, ref: ModelRef) -> bytes:
    """Ask a version for one picture's labels, however long it takes to load."""
    deadline = time.monotonic() + PATIENCE_S
    (row,) = client.infer(ref, [plain_picture((255, 0, 0))], parameters={"top_k": 1}, deadline=deadline).rows
    assert isinstance(row, bytes), row
    return row


def held_bytes(stage: ControllerStage) -> int:
    """Return what all runners hold, as the kernel says now."""
    return sum(pss_bytes(pid) for pid in stage.runner_pids())


def test_caller_makes_room_for_what_it_calls(stage: ControllerStage, client: InferenceClient, publish: Publish) -> None:
    refs = publish(ROOM + 1, "called")
    pinned, *others = refs
    stage.parts.residency.pin(pinned, by="test")
    stage.wait_ready(pinned)

    # Each in turn, again and again: whoever was called least recently has to go.
    for ref in itertools.chain(others, others):
        call(client, ref)
        assert held_bytes(stage) <= BUDGET_BYTES
        assert stage.directory.ready(pinned)


def test_what_is_merely_named_waits_for_room_and_says_so(
    stage: ControllerStage, client: InferenceClient, publish: Publish
) -> None:
    refs = publish(ROOM + 2, "named")
    wait_until(lambda: len(held_back(stage, refs)) >= 2, timeout_s=PATIENCE_S)
    wait_until(lambda: len(running(stage, refs)) == len(refs) - len(held_back(stage, refs)), timeout_s=PATIENCE_S)
    assert held_bytes(stage) <= BUDGET_BYTES

    call(client, held_back(stage, refs)[0])

    assert held_bytes(stage) <= BUDGET_BYTES


def test_version_larger_than_the_budget_fails_alone(
    stage: ControllerStage, client: InferenceClient, publish: Publish
) -> None:
    (small,) = publish(1, "small")
    call(client, small)
    before = stage.wait_ready(small)
    (large,) = publish(1, "large", SlowColourModel(work=0, side=LARGE_SIDE))

    with pytest.raises(LoadFailed, match="MEMORY_BUDGET"):
        stage.parts.residency.load(large, by="test", deadline=time.monotonic() + PATIENCE_S)

    assert stage.wait_ready(small).pid == before.pid


def test_twelve_models_take_turns_in_the_room_of_three(
    stage: ControllerStage, client: InferenceClient, publish: Publish
) -> None:
    refs = publish(12, "turn")
    for ref in refs:
        call(client, ref)
    before = footprint(stage)

    for ref in itertools.chain.from_iterable(itertools.repeat(refs, 4)):
        call(client, ref)
        assert held_bytes(stage) <= BUDGET_BYTES
    after = footprint(stage)

    assert after[:3] == before[:3]
    assert after[3] < before[3] + TOLERATED_BYTES
    # One may have ended since the last call, which looks after connections.
    assert client.connection_count <= ROOM + 1


def running(stage: ControllerStage, refs: list[ModelRef]) -> list[ModelRef]:
    return [ref for ref in refs if any(one.state is RunnerState.READY for one in stage.directory.runners(ref))]


def held_back(stage: ControllerStage, refs: list[ModelRef]) -> list[ModelRef]:
    return [ref for ref in refs if stage.directory.why_held_back(ref)]


def footprint(stage: ControllerStage) -> tuple[int, int, int, int]:
    """Count the controller's processes, sockets on disk and versions that run; and weigh it without its runners."""
    children = {child.pid for child in stage.controller_children()}
    files = sum(1 for _ in (stage.settings.run_dir / "runners").iterdir())
    own = [psutil.Process(stage.controller_pid).pid, *children]
    return len(children), files, len(stage.runner_pids()), sum(pss_bytes(pid) for pid in own)
