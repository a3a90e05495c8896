"""One runner as the controller sees it."""

from typing import Any
from unittest import mock

import pytest

from app.inference.messages import RunnerState, RunnerStatus
from tests.factories.waiting import wait_until
from workers.controller.contact import RunnerContact
from workers.controller.runner_files import RunnerNote
from workers.controller.runner_process import RunnerProcess
from workers.controller.watched_runner import NOTICE_S, WatchedRunner

NOTE = RunnerNote(name="digits", version=3, digest="0" * 64, address="ipc:///a.sock", started_at=5.0, pid=7)


@pytest.fixture
def process() -> mock.Mock:
    process: mock.Mock = mock.create_autospec(RunnerProcess, instance=True)
    process.pid = 7
    return process


@pytest.fixture
def contact() -> mock.Mock:
    contact: mock.Mock = mock.create_autospec(RunnerContact, instance=True)
    contact.silent_s = 0.0
    contact.read.return_value = None
    return contact


@pytest.fixture
def runner(process: mock.Mock, contact: mock.Mock) -> WatchedRunner:
    return WatchedRunner(NOTE, process, contact)


def say(runner: WatchedRunner, contact: mock.Mock, state: RunnerState, **changes: Any) -> bool:
    fields: dict[str, Any] = {"name": "digits", "version": 3, "digest": "0" * 64, "pid": 7}
    contact.read.return_value = RunnerStatus(**{**fields, "call_id": 1, "state": state, **changes})
    return runner.hear()


def test_runner_is_loading_before_its_first_word(runner: WatchedRunner) -> None:
    assert not runner.hear()
    assert runner.state is RunnerState.LOADING
    assert runner.served_s == 0.0


def test_loading_is_timed_until_it_ends(runner: WatchedRunner, contact: mock.Mock) -> None:
    wait_until(lambda: runner.view().loading_s > 0)

    say(runner, contact, RunnerState.READY)
    assert runner.view().loading_s == 0.0


def test_only_changes_are_news(runner: WatchedRunner, contact: mock.Mock) -> None:
    assert not say(runner, contact, RunnerState.LOADING)
    assert say(runner, contact, RunnerState.READY)
    assert not say(runner, contact, RunnerState.READY)


def test_service_is_timed_from_the_first_ready(runner: WatchedRunner, contact: mock.Mock) -> None:
    say(runner, contact, RunnerState.READY)
    wait_until(lambda: runner.served_s > 0)

    say(runner, contact, RunnerState.DRAINING)

    assert runner.served_s > 0


def test_drain_is_called_before_it_is_told(runner: WatchedRunner, contact: mock.Mock, process: mock.Mock) -> None:
    say(runner, contact, RunnerState.READY)
    runner.drain()
    runner.end_if_due()
    assert runner.state is RunnerState.DRAINING
    process.terminate.assert_not_called()

    wait_until(lambda: runner.view().draining_s > NOTICE_S)
    runner.end_if_due()
    runner.end_if_due()

    process.terminate.assert_called_once_with()


def test_runner_that_stays_is_not_told_to_end(runner: WatchedRunner, process: mock.Mock) -> None:
    runner.end_if_due()

    process.terminate.assert_not_called()


def test_view_and_record_say_what_the_runner_said(runner: WatchedRunner, contact: mock.Mock) -> None:
    contact.silent_s = 4.0
    say(runner, contact, RunnerState.READY, queued_rows=1, capacity_rows=2, rows_per_s=3.0, load_s=4.0, idle_s=5.0)

    view, record = runner.view(), runner.record()

    assert (view.version, view.address, view.state) == (NOTE.desired, NOTE.address, RunnerState.READY)
    assert (view.silent_s, view.idle_s, view.draining_s) == (4.0, 5.0, 0.0)
    assert (record.name, record.version, record.digest, record.pid) == ("digits", 3, "0" * 64, 7)
    assert (record.queued_rows, record.capacity_rows, record.rows_per_s, record.load_s) == (1, 2, 3.0, 4.0)
    assert record.started_at == 5.0


def test_own_reason_counts_more_than_the_way_it_ended(runner: WatchedRunner, contact: mock.Mock) -> None:
    assert runner.ended("it ended").reason == "it ended"

    say(runner, contact, RunnerState.FAILED, reason="The model has no forward.")

    assert runner.ended("it ended").reason == "The model has no forward."
    assert not runner.ended("it ended").was_told


def test_killed_runner_is_remembered_as_killed(runner: WatchedRunner, process: mock.Mock) -> None:
    runner.kill()

    assert runner.is_killed
    process.kill.assert_called_once_with()
