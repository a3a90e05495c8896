"""A real Celery worker with beat on a real Redis, and an application that sends it tasks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from celery import Celery

from app.db.migrate import upgrade
from app.infra.broker import broker_url, transport_options
from app.infra.task_names import QueueName, TaskName
from app.settings import Settings
from tests.factories.redis_server import RedisServer
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.waiting import wait_until

START_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class CeleryWorker:
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
    """Return an application that sends tasks and runs none."""
    sender = Celery("sender", broker=broker_url(settings.redis_url), set_as_current=False)
    sender.conf.update(broker_transport_options=transport_options(settings), task_ignore_result=True)
    return sender


def send(sender: Celery, task: TaskName, queue: QueueName = QueueName.UPKEEP) -> None:
    """Queue a task over a connection of its own, which is closed again."""
    with sender.connection_for_write() as connection:
        sender.send_task(task.value, queue=queue.value, connection=connection, retry=False)


@contextmanager
def running_worker(server: RedisServer, folder: Path) -> Iterator[CeleryWorker]:
    """Run a worker on all queues, with beat, as deploy/supervisord.conf does."""
    settings = replace(make_settings(folder), redis_url=server.url)
    upgrade(settings.database_url)
    environment = {**os.environ, "VAR_DIR": str(folder), "JWT_SECRET": TEST_SECRET, "REDIS_URL": server.url}
    options = ["--beat", "--schedule", str(folder / "beat"), "--concurrency", "1", "--without-gossip"]
    queues = ["--queues", ",".join(queue.value for queue in QueueName)]
    command = [sys.executable, "-m", "celery", "--app", "workers.celery_app", "worker", *options, *queues]
    with (folder / "celery.log").open("wb") as log, make_sender(settings) as sender:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        worker = CeleryWorker(process=psutil.Process(process.pid), settings=settings, sender=sender)
        try:
            wait_until(lambda: " ready." in worker.log(), timeout_s=START_TIMEOUT_S)
            yield worker
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)
