"""The controller's questions to a runner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from app.inference.messages import RunnerState, RunnerStatus, StatusRequest
from tests.factories.waiting import wait_until
from tests.fakes.runner import Answer, FakeRunner
from workers.controller import contact as contact_module
from workers.controller.contact import RunnerContact


def status(request: StatusRequest, **changes: Any) -> RunnerStatus:
    fields: dict[str, Any] = {"name": "digits", "version": 1, "digest": "0" * 64, "state": RunnerState.READY, "pid": 7}
    return RunnerStatus(**{"call_id": request.call_id, **fields, **changes})


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/runner.sock"


@pytest.fixture
def contact(address: str) -> Iterator[RunnerContact]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    contact = RunnerContact(context, address)
    yield contact
    contact.close()
    context.term()


@pytest.fixture
def runner(address: str) -> Iterator[FakeRunner]:
    runner = FakeRunner(address, lambda request, _: (status(request), []))
    yield runner
    runner.close()


def hear(contact: RunnerContact) -> RunnerStatus:
    contact.socket.poll(10_000)
    status = contact.read()
    assert status is not None
    return status


def test_question_is_answered(contact: RunnerContact, runner: FakeRunner) -> None:
    contact.ask()

    assert hear(contact).pid == 7
    assert contact.read() is None
    assert contact.silent_s == 0.0


def test_runner_may_begin_to_listen_after_the_question(contact: RunnerContact, address: str) -> None:
    contact.ask()
    runner = FakeRunner(address, lambda request, _: (status(request), []))

    assert hear(contact).pid == 7
    runner.close()


def test_silence_grows_while_a_question_is_open(contact: RunnerContact, runner: FakeRunner) -> None:
    runner.answer = lambda _request, _rows: None
    assert contact.silent_s == 0.0
    contact.ask()

    wait_until(lambda: contact.silent_s > 0.05)


def test_open_question_is_not_repeated_at_once(contact: RunnerContact, runner: FakeRunner) -> None:
    runner.answer = lambda _request, _rows: None
    for _ in range(10):
        contact.ask()
    wait_until(lambda: runner.requests)

    assert len(runner.requests) == 1


def test_answer_is_not_followed_by_a_question_at_once(
    contact: RunnerContact, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_module, "PAUSE_S", 60.0)
    contact.ask()
    hear(contact)
    contact.ask()

    assert contact.silent_s == 0.0, "a question is open"
    monkeypatch.setattr(contact_module, "PAUSE_S", 0.0)
    contact.ask()
    hear(contact)
    assert len(runner.requests) == 2


def test_unreadable_answer_is_passed_over(contact: RunnerContact, runner: FakeRunner) -> None:
    def answer(request: StatusRequest, _rows: list[bytes]) -> Answer:
        return (status(request, state="PUZZLED") if len(runner.requests) == 1 else status(request)), []

    runner.answer = answer
    contact.ask()
    wait_until(lambda: runner.requests)
    contact.socket.poll(5000)
    assert contact.read() is None
    assert contact.silent_s > 0.0
