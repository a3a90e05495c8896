"""A real Celery worker on a real Redis: it serves every queue, comes through a lost child, and leaves no process."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from app.infra.broker import broker_url, transport_options
from app.infra.task_names import QueueName, TaskName, queue_of
from app.settings import Settings
from tests.factories.database import make_database
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.waiting import wait_until

START_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A running worker, its folder, and an application that sends to it."""

    process: psutil.Process
    settings: Settings
    sender: Celery

    def send(self, task: TaskName, queue: QueueName = QueueName.UPKEEP) -> None:
        """Queue a task."""
        send(self.sender, task, queue)

    def log(self) -> str:
        """Return what the worker has said so far."""
        return (self.settings.var_dir / "celery.log").read_text()

    def succeeded(self, task: TaskName) -> int:
        """Count the runs of a task that ended well."""
        return sum(1 for line in self.log().splitlines() if "task_succeeded" in line and task.value in line)

    def family(self) -> list[psutil.Process]:
        """Return the worker's pool processes and its beat."""
        return self.process.children(recursive=True)


def make_sender(settings: Settings) -> Celery:
    sender = Celery("sender", broker=broker_url(settings.redis_url), set_as_current=False)
    sender.conf.update(broker_transport_options=transport_options(settings), task_ignore_result=True)
    return sender


def send(sender: Celery, task: TaskName, queue: QueueName = QueueName.UPKEEP) -> None:
    """Queue a task over a connection of its own, which is closed again."""
    with sender.connection_for_write() as connection:
        sender.send_task(task.value, queue=queue.value, connection=connection, retry=False)


@contextmanager
def running_worker(server: RedisServer, folder: Path) -> Iterator[Worker]:
    """Run a worker on all queues, with beat, as deploy/supervisord.conf does."""
    settings = replace(make_settings(folder), redis_url=server.url)
    environment = {**os.environ, "VAR_DIR": str(folder), "JWT_SECRET": TEST_SECRET, "REDIS_URL": server.url}
    options = ["--beat", "--schedule", str(folder / "beat"), "--concurrency", "1", "--without-gossip"]
    queues = ["--queues", ",".join(queue.value for queue in QueueName)]
    command = [sys.executable, "-m", "celery", "--app", "workers.celery_app", "worker", *options, *queues]
    with (folder / "celery.log").open("wb") as log, make_sender(settings) as sender:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        worker = Worker(process=psutil.Process(process.pid), settings=settings, sender=sender)
        try:
            wait_until(lambda: " ready." in worker.log(), timeout_s=START_TIMEOUT_S)
            yield worker
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with tempfile.TemporaryDirectory(prefix="galley-celery-") as folder, running_redis() as server:
        make_database(Path(folder)).close()
        with running_worker(server, Path(folder)) as worker:
            yield worker


@pytest.mark.parametrize("queue", list(QueueName))
def test_worker_serves_every_queue(worker: Worker, queue: QueueName) -> None:
    before = worker.succeeded(TaskName.SWEEP_STAGING)
    worker.send(TaskName.SWEEP_STAGING, queue)

    wait_until(lambda: worker.succeeded(TaskName.SWEEP_STAGING) > before)


@pytest.mark.parametrize("task", [task for task in TaskName if queue_of(task) is QueueName.UPKEEP])
def test_worker_runs_every_upkeep_task(worker: Worker, task: TaskName) -> None:
    before = worker.succeeded(task)
    worker.send(task)

    wait_until(lambda: worker.succeeded(task) > before)


def test_killed_pool_process_is_replaced(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_worker(redis_server, tmp_path) as worker:
        victim = next(child for child in worker.family() if "ForkPoolWorker" in " ".join(child.cmdline()))
        victim.kill()
        worker.send(TaskName.CHECK_STORE)

        wait_until(lambda: worker.succeeded(TaskName.CHECK_STORE) > 0, timeout_s=30)


def test_killed_worker_leaves_no_process(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_worker(redis_server, tmp_path) as worker:
        family = worker.family()
        worker.process.send_signal(signal.SIGKILL)

        _, alive = psutil.wait_procs(family, timeout=10)
    assert len(family) >= 2
    assert alive == []


def test_hung_redis_does_not_hold_a_sender_for_good(tmp_path: Path) -> None:
    with running_redis() as server, make_sender(make_settings(tmp_path, redis_url=server.url)) as sender:
        server.freeze()
        # Without socket timeouts this line would wait until somebody thaws Redis.
        with pytest.raises(OperationalError):
            send(sender, TaskName.CHECK_STORE)


def test_database_of_the_url_is_used(redis_server: RedisServer, tmp_path: Path) -> None:
    url = f"{redis_server.url}?db=3"
    with make_sender(make_settings(tmp_path, redis_url=url)) as sender:
        send(sender, TaskName.CHECK_STORE)

    with redis.Redis.from_url(url) as client:
        assert client.llen(QueueName.UPKEEP.value) == 1
