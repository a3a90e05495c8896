"""Queues, delivery and schedule of the Celery application."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, signals

from app.infra.task_names import QueueName, TaskName, queue_of
from tests.factories.settings import make_settings
from workers.celery_factory import make_celery
from workers.schedule import beat_schedule

SIGNALS = (
    signals.setup_logging,
    signals.worker_init,
    signals.worker_process_init,
    signals.worker_process_shutdown,
    signals.beat_embedded_init,
)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    before = [list(signal.receivers) for signal in SIGNALS]
    app = make_celery(make_settings(tmp_path))
    app.loader.import_default_modules()
    yield app
    app.close()
    for signal, receivers in zip(SIGNALS, before, strict=True):
        signal.receivers = receivers


def test_every_task_name_is_registered(app: Celery) -> None:
    assert [name for name in TaskName if name.value not in app.tasks] == []


def test_each_queue_gets_only_its_own_messages(app: Celery) -> None:
    queues = {queue.name: (queue.exchange.name, queue.routing_key) for queue in app.conf.task_queues}

    assert queues == {name.value: (name.value, name.value) for name in QueueName}


@pytest.mark.parametrize("task", list(TaskName))
def test_each_task_goes_to_its_queue(app: Celery, task: TaskName) -> None:
    route = app.amqp.router.route({}, task.value)

    assert route["queue"].name == queue_of(task).value


def test_verification_has_a_queue_of_its_own() -> None:
    assert [task for task in TaskName if queue_of(task) is not QueueName.UPKEEP] == [TaskName.VERIFY_VERSION]


def test_task_of_a_killed_process_runs_again(app: Celery) -> None:
    assert (app.conf.task_acks_late, app.conf.task_reject_on_worker_lost) == (True, True)


def test_every_upkeep_task_has_an_appointment() -> None:
    upkeep = {task.value for task in TaskName if queue_of(task) is QueueName.UPKEEP}

    assert {entry["task"] for entry in beat_schedule().values()} == upkeep
