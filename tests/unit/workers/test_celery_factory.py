"""Queues, delivery and schedule of the Celery application."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, signals

from app.infra.broker_queues import SENT_AT
from app.infra.task_names import QueueName, TaskName, priority_of, queue_of
from deploy.stack.folders import make_folders
from tests.factories.settings import make_settings
from workers.celery_factory import make_celery
from workers.schedule import beat_schedule

# What sends again whatever was lost.
HEALERS = {TaskName.DISPATCH_CHUNKS.value, TaskName.RESEND_JOBS.value}
SIGNALS = (
    signals.setup_logging,
    signals.worker_init,
    signals.worker_process_init,
    signals.worker_process_shutdown,
    signals.beat_embedded_init,
    signals.before_task_publish,
    signals.worker_ready,
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
    assert [task for task in TaskName if queue_of(task) is QueueName.VERIFICATION] == [TaskName.VERIFY_VERSION]


def test_pool_is_as_large_as_the_settings_say(app: Celery, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)

    assert app.conf.worker_concurrency == settings.job_workers
    assert app.conf.worker_max_memory_per_child == settings.job_memory_limit // 1024


def test_every_message_tells_when_it_was_sent(app: Celery) -> None:
    with app.connection_for_write("memory://") as connection:
        app.send_task(TaskName.CHECK_STORE.value, connection=connection)
        with connection.SimpleQueue(QueueName.UPKEEP.value) as queue:
            message = queue.get(timeout=5)

    assert message.headers[SENT_AT] == pytest.approx(time.time(), abs=60)


def test_task_of_a_killed_process_runs_again(app: Celery) -> None:
    assert (app.conf.task_acks_late, app.conf.task_reject_on_worker_lost) == (True, True)


def test_process_of_the_pool_says_what_it_took_to_its_end(tmp_path: Path) -> None:
    code = """if True:
        from celery import signals
        from prometheus_client import REGISTRY
        from app.settings import read_settings
        from workers.celery_factory import make_celery
        app = make_celery(read_settings())
        signals.worker_process_init.send(sender=None)
        signals.worker_process_shutdown.send(sender=None)
        assert app.parts
        assert REGISTRY.get_sample_value("galley_processes", {"part": "celery"}) == 0
    """
    make_folders(make_settings(tmp_path))
    environment = {**os.environ, "VAR_DIR": str(tmp_path), "JWT_SECRET": "k" * 40}

    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_every_upkeep_task_has_an_appointment() -> None:
    upkeep = {task.value for task in TaskName if queue_of(task) is QueueName.UPKEEP}

    assert {entry["task"] for entry in beat_schedule().values()} == {*upkeep, *HEALERS}


@pytest.mark.parametrize("task", sorted(HEALERS))
def test_what_heals_does_not_wait_for_a_verification(task: str) -> None:
    assert (queue_of(TaskName(task)), priority_of(TaskName(task))) == (QueueName.BATCH, 0)


def test_what_comes_every_few_seconds_does_not_pile_up_while_no_worker_takes_it() -> None:
    often = [entry for entry in beat_schedule().values() if isinstance(entry["schedule"], float)]

    assert {(entry["task"], entry["schedule"]) for entry in often} == {(task, 10.0) for task in HEALERS}
    assert all(entry["options"]["expires"] <= entry["schedule"] for entry in often)
