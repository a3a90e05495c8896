"""A task answers the call that its ticket names, once; and whoever waits for one that failed is told."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import WorkerLostError
from celery.worker.request import Request

from app.errors import DeadlineExceeded, RedisUnavailable
from app.inference.heavy_messages import HeavyCall
from app.inference.heavy_queue import HeavyQueue, TakenCall
from workers.batch.heavy_call import HeavyAnswer, HeavyDesk
from workers.tasks import heavy
from workers.tasks.heavy import LOST, UNFORESEEN, HeavyRequest

# Celery has no types: what is a function of a task there is called without it.
infer: Any = heavy.infer_heavy
TAKEN = TakenCall(call=HeavyCall(name="giant", version=1, digest="d", limit_s=10.0), rows=[b"row"], left_s=9.0)


@pytest.fixture
def queue() -> mock.Mock:
    queue: mock.Mock = mock.create_autospec(HeavyQueue, instance=True)
    queue.take.return_value = TAKEN
    return queue


@pytest.fixture
def desk(queue: mock.Mock) -> Iterator[mock.Mock]:
    """The desk of a process whose task finds this queue."""
    desk: mock.Mock = mock.create_autospec(HeavyDesk, instance=True)
    desk.answer.return_value = HeavyAnswer([b"header", b"row"], 0.5)
    parts = SimpleNamespace(settings=SimpleNamespace(job_memory_limit=0))
    with mock.patch.multiple(infer.app, create=True, heavy_queue=queue, heavy_desk=desk, parts=parts):
        yield desk


def test_call_is_answered_and_its_cost_noted(queue: mock.Mock, desk: mock.Mock) -> None:
    assert infer("ticket") == "answered"

    desk.answer.assert_called_once_with(TAKEN)
    queue.answer.assert_called_once_with("ticket", [b"header", b"row"])
    queue.note_cost.assert_called_once_with(TAKEN.call.ref, 0.5)


def test_an_answer_stands_though_its_cost_cannot_be_noted(queue: mock.Mock, desk: mock.Mock) -> None:
    queue.note_cost.side_effect = RedisUnavailable("The test took it away.")

    assert infer("ticket") == "answered"


def test_call_that_is_not_there_costs_nothing(queue: mock.Mock, desk: mock.Mock) -> None:
    queue.take.return_value = None

    assert infer("ticket") == "nobody waits"
    desk.answer.assert_not_called()


def test_call_whose_time_is_up_is_dropped(queue: mock.Mock, desk: mock.Mock) -> None:
    desk.answer.side_effect = DeadlineExceeded(10.0)

    assert infer("ticket") == "too late"
    queue.answer.assert_not_called()


def test_caller_may_be_gone_by_then_and_refusals_have_no_cost(queue: mock.Mock, desk: mock.Mock) -> None:
    desk.answer.return_value = HeavyAnswer([b"refusal"])
    queue.answer.return_value = False

    assert infer("ticket") == "nobody waits any more"
    queue.note_cost.assert_not_called()


def test_nothing_is_tried_again() -> None:
    assert (infer.reject_on_worker_lost, infer.autoretry_for) == (False, ())


@pytest.fixture
def request_of(queue: mock.Mock) -> Iterator[HeavyRequest]:
    """A task in the main process, without what Celery does with it besides."""
    request = object.__new__(HeavyRequest)
    request._task = SimpleNamespace(app=SimpleNamespace(heavy_queue=queue))
    request._args = ["ticket"]
    with mock.patch.object(Request, "on_failure"), mock.patch.object(Request, "on_timeout"):
        yield request


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        (WorkerLostError("signal 9"), LOST),
        (ExceptionWithTraceback(WorkerLostError("signal 9"), ""), LOST),
        (SystemExit(-9), LOST),
        (KeyError("unforeseen"), UNFORESEEN),
        (ExceptionWithTraceback(KeyError("unforeseen"), ""), UNFORESEEN),
    ],
)
def test_caller_is_told_at_once(queue: mock.Mock, request_of: Any, error: BaseException, frame: bytes) -> None:
    request_of.on_failure(SimpleNamespace(exception=error))

    queue.refuse.assert_called_once_with("ticket", frame)
    assert Request.on_failure.called


def test_caller_of_a_model_without_end_is_told(queue: mock.Mock, request_of: Any) -> None:
    request_of.on_timeout(False, 330.0)

    queue.refuse.assert_called_once_with("ticket", LOST)
    assert Request.on_timeout.called


def test_soft_limit_is_no_end(queue: mock.Mock, request_of: Any) -> None:
    request_of.on_timeout(True, 330.0)

    queue.refuse.assert_not_called()


def test_task_fails_as_any_other_where_nobody_can_be_told(queue: mock.Mock, request_of: Any) -> None:
    queue.refuse.side_effect = RedisUnavailable("Away.")

    request_of.on_failure(SimpleNamespace(exception=KeyError("unforeseen")))

    assert Request.on_failure.called
