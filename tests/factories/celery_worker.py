"""A real Celery worker with beat on a real Redis, and an application that sends it tasks."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psutil
from celery import Celery

from app.infra.broker import broker_url, transport_options
from app.infra.task_names import QueueName, TaskName
from app.settings import Settings
from tests.factories.database import migrate
from tests.factories.redis_server import RedisServer
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.waiting import wait_until

START_TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.2


@dataclass(kw_only=True)
class CeleryWorker:
    """A running worker, its folder, and an application that sends to it.

    `process` is its main process; another takes its place where the worker is kept up.
    """

    command: list[str]
    environment: dict[str, str]
    settings: Settings
    sender: Celery

    def start(self) -> None:
        """Start the main process; what it says is added to its log."""
        with self._log_path.open("ab") as log:
            self._child = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)
        self.process = psutil.Process(self._child.pid)

    def has_ended(self) -> bool:
        """Say whether the main process has ended."""
        return self._child.poll() is not None

    def stop(self) -> None:
        """Tell the worker to end, and wait until it has."""
        self._child.terminate()
        self._child.wait(START_TIMEOUT_S)

    def send(self, task: TaskName, queue: QueueName = QueueName.UPKEEP) -> None:
        """Queue a task."""
        send(self.sender, task, queue)

    def log(self) -> str:
        """Return what the worker has said so far."""
        return self._log_path.read_text()

    def succeeded(self, task: TaskName) -> int:
        """Count the runs of a task that ended well."""
        return sum(1 for line in self.log().splitlines() if "task_succeeded" in line and task.value in line)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Hold the main process for the length of the block: it takes no task from the broker."""
        self.process.suspend()
        try:
            yield
        finally:
            self.process.resume()

    def family(self) -> list[psutil.Process]:
        """Return the worker's pool processes and its beat; none of a worker that has ended."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def pool(self) -> list[psutil.Process]:
        """Return the processes that run tasks."""
        return [one for one in self.family() if _runs_tasks(one)]

    def kill(self) -> None:
        """End the worker and its family as a crash of the machine would."""
        family = self.family()
        self.process.kill()
        psutil.wait_procs([self.process, *family], timeout=START_TIMEOUT_S)

    @property
    def _log_path(self) -> Path:
        return self.settings.var_dir / "celery.log"


def _runs_tasks(process: psutil.Process) -> bool:
    try:
        return "ForkPoolWorker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it ended between the listing and the look
        return False


def make_sender(settings: Settings) -> Celery:
    """Return an application that sends tasks and runs none."""
    sender = Celery("sender", broker=broker_url(settings.state_redis_url), set_as_current=False)
    sender.conf.update(broker_transport_options=transport_options(settings), task_ignore_result=True)
    return sender


def send(sender: Celery, task: TaskName, queue: QueueName = QueueName.UPKEEP) -> None:
    """Queue a task over a connection of its own, which is closed again."""
    with sender.connection_for_write() as connection:
        sender.send_task(task.value, queue=queue.value, connection=connection, retry=False)


@contextmanager
def running_worker(
    server: RedisServer,
    folder: Path,
    *,
    app: str = "workers.celery_app",
    pool: int = 1,
    is_kept_up: bool = False,
    **variables: str,
) -> Iterator[CeleryWorker]:
    """Run a worker on all queues, with beat, as deploy/supervisord.conf does; `variables` are settings besides.

    `pool` is how many processes run its tasks. One that is kept up is started again whenever it ends.
    """
    settings = make_settings(folder, redis_url=server.url)
    migrate(settings.database_url)
    environment = {
        **os.environ,
        "VAR_DIR": str(folder),
        "JWT_SECRET": TEST_SECRET,
        "REDIS_URL": server.url,
        **variables,
    }
    options = ["--beat", "--schedule", str(folder / "beat"), "--concurrency", str(pool), "--without-gossip"]
    queues = ["--queues", ",".join(queue.value for queue in QueueName)]
    command = [sys.executable, "-m", "celery", "--app", app, "worker", *options, *queues]
    with make_sender(settings) as sender:
        worker = CeleryWorker(command=command, environment=environment, settings=settings, sender=sender)
        worker.start()
        try:
            wait_until(lambda: " ready." in worker.log(), timeout_s=START_TIMEOUT_S)
            with _kept_up(worker) if is_kept_up else nullcontext():
                yield worker
        finally:
            worker.stop()


@contextmanager
def _kept_up(worker: CeleryWorker) -> Iterator[None]:
    """Start a worker again, as supervisord does, when it has ended within the block.

    kombu 5.7 may end one that loses Redis twice within seconds: it puts back messages over a connection that it has
    closed already.
    """
    stopping = threading.Event()

    def keep_up() -> None:
        while not stopping.wait(LOOK_EVERY_S):
            if worker.has_ended():
                worker.start()

    keeper = threading.Thread(target=keep_up)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        keeper.join()
