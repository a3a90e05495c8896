"""The fake inference client keeps what the real one, with a real runner, promises."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from app.errors import DeadlineExceeded
from app.inference.client import InferAnswer, InferenceClient
from app.inference.messages import RowFailure, RunnerState
from app.scenarios.images import decode_answer
from model_store.model_ref import ModelRef
from tests.factories.pictures import plain_picture
from tests.factories.runners import make_spec, running
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import NOT_AN_IMAGE, FakeInferenceClient, make_record

REF = ModelRef("colours", 1)
RED, BLUE = plain_picture((255, 0, 0)), plain_picture((0, 0, 255), size=(640, 480))


class Asks(Protocol):
    """What both clients can do."""

    def infer(
        self, ref: ModelRef, rows: list[bytes], *, deadline: float, parameters: dict[str, int] | None = None
    ) -> InferAnswer:
        """Answer rows."""


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a real runner; yield its address."""
    with running(make_spec(folder, folder)) as (runner, caller):
        caller.wait_for(RunnerState.READY)
        yield runner.spec.address


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="galley-") as name, serving(Path(name)) as address:
        yield address


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest, address: str) -> Iterator[Asks]:
    if request.param == "fake":
        yield FakeInferenceClient()
        return

    record = make_record(REF, address=address)
    real = InferenceClient(FakeDirectory(record))
    yield real
    real.close()


def soon() -> float:
    return time.monotonic() + 20.0


def test_rows_are_answered_in_order(client: Asks) -> None:
    answer = client.infer(REF, [RED, BLUE], deadline=soon())
    again = client.infer(REF, [BLUE, RED], deadline=soon())

    assert all(isinstance(row, bytes) for row in answer.rows)
    assert answer.rows == again.rows[::-1]
    assert answer.rows[0] != answer.rows[1]


def test_answer_is_an_image_answer(client: Asks) -> None:
    (row,) = client.infer(REF, [RED], deadline=soon(), parameters={"top_k": 2}).rows

    assert isinstance(row, bytes)
    labels = decode_answer(row).labels
    assert len(labels) == 2
    assert labels[0].score > labels[1].score


def test_row_that_is_no_image_fails_alone(client: Asks) -> None:
    rows = client.infer(REF, [RED, NOT_AN_IMAGE, BLUE], deadline=soon()).rows

    assert [isinstance(row, RowFailure) for row in rows] == [False, True, False]
    assert isinstance(rows[1], RowFailure)
    assert (rows[1].row, rows[1].code) == (1, "unsupported_image")


def test_answer_says_who_and_how_long(client: Asks) -> None:
    answer = client.infer(REF, [RED], deadline=soon())

    assert (answer.runner.name, answer.runner.version) == (REF.name, REF.version)
    assert 0 <= answer.queue_s < 20
    assert 0 < answer.compute_s < 20


def test_passed_deadline_is_told(client: Asks) -> None:
    with pytest.raises(DeadlineExceeded):
        client.infer(REF, [RED], deadline=time.monotonic() - 1)
