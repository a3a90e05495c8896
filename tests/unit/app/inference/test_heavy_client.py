"""A caller of a heavy model waits within its deadline, learns what came of its call, and leaves nothing behind."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from app.errors import (
    DeadlineExceeded,
    GalleyError,
    InvalidTensor,
    ModelFailed,
    ModelLoading,
    QueueFull,
    RedisUnavailable,
    RunnerLost,
    ShareExceeded,
)
from app.inference.client import InferAnswer
from app.inference.heavy_client import HeavyClient
from app.inference.heavy_messages import HeavyCall
from app.inference.heavy_queue import Entrance, HeavyQueue
from app.inference.messages import Form, InferReply, Refusal, RowFailure, encode
from app.infra.task_names import TaskName
from model_store.model_ref import ModelRef

REF = ModelRef("giant", 3)
LET_IN = Entrance("in", "ticket", calls=0, held=0, clients=1, wait_s=0.0)
DONE = encode(InferReply(call_id=0, queue_s=0.25, compute_s=0.5))


@dataclass
class FakeQueue:
    """A queue that lets callers in as it is told, and finds the answer at once, or never."""

    entrance: Entrance = LET_IN
    answer: Sequence[bytes] | None = (DONE, b"one", b"two")
    fails: Callable[[str], None] = lambda _step: None
    calls: list[HeavyCall] = field(default_factory=list)
    put_rows: list[bytes] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def enter(self, call: HeavyCall, rows: Sequence[bytes]) -> Entrance:
        self.calls.append(call)
        return self.entrance

    def put(self, ticket: str, call: HeavyCall, rows: Sequence[bytes]) -> None:
        self.fails("put")
        self.put_rows = list(rows)

    def wait(self, ticket: str, wait_s: float) -> Sequence[bytes] | None:
        self.fails("wait")
        if self.answer is None:
            time.sleep(wait_s)
        return self.answer

    def leave(self, ticket: str) -> None:
        self.left.append(ticket)
        self.fails("leave")


def infer(queue: FakeQueue, *, within_s: float = 10.0, **options: Any) -> InferAnswer:
    client = HeavyClient(cast(HeavyQueue, queue), lambda *sent: queue.fails(f"send {sent}"))
    return client.infer(REF, [b"a", b"b"], digest="d", deadline=time.monotonic() + within_s, **options)


def failing(step: str, error: GalleyError) -> Callable[[str], None]:
    def fail(now: str) -> None:
        if now.startswith(step):
            raise error

    return fail


def test_call_says_all_that_its_worker_needs() -> None:
    queue, sent = FakeQueue(), list[str]()
    queue.fails = sent.append

    answer = infer(queue, parameters={"json_bytes": 1}, form=Form.TENSORS, request_id="r", client_id="ann")

    (call,) = queue.calls
    assert (call.ref, call.digest, call.form, call.parameters) == (REF, "d", Form.TENSORS, {"json_bytes": 1})
    assert (call.request_id, call.client_id) == ("r", "ann")
    assert call.limit_s == pytest.approx(10.0, abs=1.0)
    assert (answer.rows, answer.queue_s, answer.compute_s) == ([b"one", b"two"], 0.25, 0.5)
    assert sent == ["put", f"send {(TaskName.INFER_HEAVY, 'ticket')}", "wait", "leave"]
    assert (queue.put_rows, queue.left) == ([b"a", b"b"], ["ticket"])


def test_row_that_failed_is_told_by_itself() -> None:
    failure = RowFailure(row=1, code=InvalidTensor.code, detail="No.")
    header = encode(InferReply(call_id=0, failures=[failure]))

    assert infer(FakeQueue(answer=(header, b"one", b""))).rows == [b"one", failure]


@pytest.mark.parametrize("error", [RunnerLost("Lost."), ModelLoading("Failed.", retry_after_s=5.0), ModelFailed("No.")])
def test_refusal_is_the_error_that_it_was(error: GalleyError) -> None:
    retry_after_s = getattr(error, "retry_after_s", 1.0)
    refusal = Refusal(call_id=0, code=error.code, detail=error.detail, retry_after_s=retry_after_s)

    with pytest.raises(type(error), match=error.detail) as caught:
        infer(FakeQueue(answer=(encode(refusal),)))
    assert getattr(caught.value, "retry_after_s", 1.0) == retry_after_s


def test_answer_of_other_rows_is_the_models_failure() -> None:
    with pytest.raises(ModelFailed, match="answered 1 of 2 rows"):
        infer(FakeQueue(answer=(DONE, b"one")))


def test_nobody_waits_longer_than_the_deadline() -> None:
    queue = FakeQueue(answer=None)

    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        infer(queue, within_s=0.05)
    assert queue.left == ["ticket"]


def test_call_without_time_asks_nobody() -> None:
    queue = FakeQueue()

    with pytest.raises(DeadlineExceeded):
        infer(queue, within_s=-1.0)
    assert queue.calls == []


@pytest.mark.parametrize(
    ("entrance", "error", "retry_after_s"),
    [
        (Entrance("nobody", "", 0, 0, 1, 0.0), ModelLoading, 15.0),
        (Entrance("full", "", calls=10, held=0, clients=5, wait_s=40.0), QueueFull, 4.0),
        (Entrance("full", "", calls=10, held=9, clients=2, wait_s=0.0), ShareExceeded, 1.0),
        (Entrance("late", "", calls=4, held=0, clients=2, wait_s=16.0), QueueFull, 6.0),
        (Entrance("late", "", calls=4, held=3, clients=2, wait_s=16.0), ShareExceeded, 6.0),
        (Entrance("late", "", calls=4, held=1, clients=2, wait_s=16.0), QueueFull, 6.0),
    ],
)
def test_who_is_not_let_in_learns_why_and_when_to_come_back(
    entrance: Entrance, error: type[ModelLoading | QueueFull | ShareExceeded], retry_after_s: float
) -> None:
    queue = FakeQueue(entrance)

    with pytest.raises(error) as caught:
        infer(queue)

    assert caught.value.retry_after_s == pytest.approx(retry_after_s, abs=0.1)
    assert queue.left == []


@pytest.mark.parametrize("step", ["put", "send", "wait"])
def test_outage_is_told_and_the_place_given_back(step: str) -> None:
    queue = FakeQueue(fails=failing(step, RedisUnavailable("Away.")))

    with pytest.raises(RedisUnavailable):
        infer(queue)
    assert queue.left == ["ticket"]


def test_answer_counts_although_its_place_cannot_be_given_back() -> None:
    assert infer(FakeQueue(fails=failing("leave", RedisUnavailable("Away.")))).rows == [b"one", b"two"]
