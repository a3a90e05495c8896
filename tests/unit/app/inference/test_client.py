"""Which runner is asked, and what becomes of a request that it does not answer."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent
import pytest

from app.errors import DeadlineExceeded, ModelFailed, ModelLoading, QueueFull, RunnerLost
from app.inference.client import InferAnswer, InferenceClient
from app.inference.load_estimate import USUAL_LOAD_S
from app.inference.messages import Form, InferReply, InferRequest, Lane, Refusal, RowFailure, RunnerState
from app.infra.metrics import REFUSED
from model_store.model_ref import ModelRef
from tests.factories.waiting import wait_until
from tests.fakes.directory import FakeDirectory
from tests.fakes.runner import Answer, FakeRunner, reverse_rows

REF = ModelRef("digits", 1)
ROWS = [b"abc", b"de"]
Start = Callable[[str], FakeRunner]


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def client(directory: FakeDirectory) -> Iterator[InferenceClient]:
    client = InferenceClient(directory)
    yield client
    client.close()


@pytest.fixture
def runner(directory: FakeDirectory, start_runner: Start) -> FakeRunner:
    """The one runner that the directory knows."""
    runner = start_runner("a")
    directory.show(runner.record())
    return runner


def infer(client: InferenceClient, *, within_s: float = 10.0, **options: Any) -> InferAnswer:
    return client.infer(REF, ROWS, **{"parameters": {}, "deadline": time.monotonic() + within_s, **options})


def refuse(code: str) -> Callable[[InferRequest, Sequence[bytes]], Answer]:
    def answer(request: InferRequest, _rows: Sequence[bytes]) -> Answer:
        return Refusal(call_id=request.call_id, code=code, detail="No.", retry_after_s=7.0), []

    return answer


def never(_request: InferRequest, _rows: Sequence[bytes]) -> Answer:
    return None


def test_rows_come_back_in_order(client: InferenceClient, runner: FakeRunner) -> None:
    answer = infer(client)

    assert answer.rows == [b"cba", b"ed"]
    assert (answer.queue_s, answer.compute_s, answer.runner) == (0.25, 0.5, runner.record())


def test_options_reach_the_runner(client: InferenceClient, runner: FakeRunner) -> None:
    infer(client, parameters={"top_k": 3}, form=Form.TENSORS, lane=Lane.BATCH, request_id="r-1")

    (request,) = runner.requests
    assert isinstance(request, InferRequest)
    assert (request.parameters, request.form) == ({"top_k": 3}, Form.TENSORS)
    assert (request.lane, request.request_id) == (Lane.BATCH, "r-1")


def test_failed_rows_stand_where_they_were(client: InferenceClient, runner: FakeRunner) -> None:
    failure = RowFailure(row=1, code="unreadable_image", detail="No.")
    runner.answer = lambda request, _: (InferReply(call_id=request.call_id, failures=[failure]), [b"fine", b""])

    assert infer(client).rows == [b"fine", failure]


def test_answer_of_another_length_is_the_models_fault(client: InferenceClient, runner: FakeRunner) -> None:
    runner.answer = lambda request, _: (InferReply(call_id=request.call_id), [b"only one"])

    with pytest.raises(ModelFailed):
        infer(client)


def test_least_busy_runner_is_asked(client: InferenceClient, directory: FakeDirectory, start_runner: Start) -> None:
    busy, idle = start_runner("busy"), start_runner("idle")
    directory.show(busy.record(queued_rows=5), idle.record(queued_rows=1))

    assert infer(client).runner.address == idle.address


def test_own_unanswered_rows_count_as_busy(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    held, other = start_runner("held"), start_runner("other")
    held.answer = never
    directory.show(held.record(), other.record(queued_rows=1))
    waiting = gevent.spawn(infer, client)
    gevent.sleep(0)

    assert infer(client).runner.address == other.address
    waiting.kill()


def test_runner_that_is_not_ready_is_not_asked(
    client: InferenceClient, directory: FakeDirectory, runner: FakeRunner
) -> None:
    directory.show(runner.record(state=RunnerState.DRAINING))

    with pytest.raises(ModelLoading):
        infer(client)
    assert runner.requests == []


def test_refusal_becomes_its_error(client: InferenceClient, runner: FakeRunner) -> None:
    runner.answer = refuse("queue_full")

    with pytest.raises(QueueFull) as caught:
        infer(client)
    assert caught.value.retry_after_s == 7.0


def test_what_the_runner_would_refuse_is_not_sent(
    client: InferenceClient, directory: FakeDirectory, runner: FakeRunner
) -> None:
    refused = REFUSED.labels(place="runner", code="queue_full")._value
    before = refused.get()
    runner.answer = never
    directory.show(runner.record(capacity_rows=3))
    waiting = gevent.spawn(infer, client, client_id="a")
    _wait_asked(runner)

    with pytest.raises(QueueFull):
        infer(client, client_id="a")
    assert (len(runner.requests), refused.get()) == (1, before + 1)
    waiting.kill()


def test_request_to_a_draining_runner_goes_to_its_successor(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    draining, successor = start_runner("old"), start_runner("new")
    draining.answer = refuse("draining")
    directory.show(draining.record())
    directory.waiting_brings = [draining.record(), successor.record()]

    assert infer(client).runner.address == successor.address


def test_dead_runners_rows_go_to_another_ready_one_once(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    dying, other = start_runner("dying"), start_runner("other")
    dying.answer = never
    directory.show(dying.record(), other.record(queued_rows=9))
    waiting = gevent.spawn(infer, client)
    _wait_asked(dying)

    dying.close()

    assert waiting.get(timeout=5).runner.address == other.address


def test_dead_runners_rows_are_lost_without_another_one(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    dying = start_runner("dying")
    dying.answer = never
    directory.show(dying.record())
    directory.waiting_brings = [start_runner("later").record()]
    waiting = gevent.spawn(infer, client)
    _wait_asked(dying)

    dying.close()

    with pytest.raises(RunnerLost):
        waiting.get(timeout=5)


def test_runner_known_to_be_dead_is_not_asked_again(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    dead, later = start_runner("dead"), start_runner("later")
    directory.show(dead.record())
    infer(client)
    dead.close()
    wait_until(client.unusable, sleep=gevent.sleep)
    directory.waiting_brings = [dead.record(), later.record()]

    assert infer(client).runner.address == later.address


def test_rows_that_never_left_wait_for_another_runner(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    dead, later = start_runner("dead"), start_runner("later")
    dead.close()
    directory.show(dead.record())
    directory.waiting_brings = [dead.record(), later.record()]

    assert infer(client).runner.address == later.address


def test_late_answer_is_not_waited_for_and_no_late_call_is_sent(client: InferenceClient, runner: FakeRunner) -> None:
    runner.answer = never

    with pytest.raises(DeadlineExceeded):
        infer(client, within_s=0.05)
    with pytest.raises(DeadlineExceeded):
        infer(client, within_s=-0.001)
    assert len(runner.requests) == 1

    runner.answer = reverse_rows
    assert infer(client).rows == [b"cba", b"ed"]


def test_unknown_version_is_wanted_and_waited_for(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    directory.waiting_brings = [start_runner("a").record()]

    assert infer(client).rows == [b"cba", b"ed"]
    assert directory.wanted == [REF]


def test_only_so_many_wait_for_one_version(client: InferenceClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.inference.client.MAX_WAITERS_EACH", 0)
    with pytest.raises(ModelLoading):
        infer(client)


def test_estimate_is_the_time_an_earlier_load_took(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    with pytest.raises(ModelLoading) as unknown:
        infer(client)
    directory.show(start_runner("a").record(state=RunnerState.DRAINING, load_s=42.0))
    with pytest.raises(ModelLoading) as known:
        infer(client)

    assert (unknown.value.retry_after_s, known.value.retry_after_s) == (USUAL_LOAD_S, 42.0)


def test_version_that_failed_to_load_is_not_waited_for(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    failed = start_runner("a").record(state=RunnerState.FAILED, reason="/secret/path is broken")
    directory.show(failed)
    directory.waiting_brings = [start_runner("b").record()]

    with pytest.raises(ModelLoading, match="failed") as caught:
        infer(client)
    assert "secret" not in caught.value.detail


def test_connections_of_forgotten_runners_are_closed(
    client: InferenceClient, directory: FakeDirectory, start_runner: Start
) -> None:
    for name in ("a", "b", "c"):
        directory.show(start_runner(name).record())
        infer(client)

    assert client.connection_count == 1


def test_closing_ends_waiting_calls_and_asks_no_other_runner(
    client: InferenceClient, directory: FakeDirectory, runner: FakeRunner, start_runner: Start
) -> None:
    other, runner.answer = start_runner("other"), never
    directory.show(runner.record(), other.record(queued_rows=9))
    waiting = gevent.spawn(infer, client)
    # The rows are sent; whether they arrived is not known before the hub has looked.
    gevent.sleep(0)

    client.close()

    with pytest.raises(RunnerLost):
        waiting.get(timeout=5)
    assert (other.requests, directory.wanted) == ([], [])


def test_answers_of_many_greenlets_are_not_mixed_up(client: InferenceClient, runner: FakeRunner) -> None:
    def ask(number: int) -> bool:
        rows = [b"%d-%d" % (number, row) for row in range(3)]
        answer = client.infer(REF, rows, parameters={}, deadline=time.monotonic() + 10)
        return answer.rows == [row[::-1] for row in rows]

    asked = [gevent.spawn(ask, number) for number in range(200)]

    assert all(greenlet.get(timeout=10) for greenlet in asked)


def _wait_asked(runner: FakeRunner) -> None:
    """Let greenlets run until the runner holds a request."""
    wait_until(lambda: runner.requests, sleep=gevent.sleep)
