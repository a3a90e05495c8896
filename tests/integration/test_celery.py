"""A real Celery worker on a real Redis: it serves every queue, comes through a lost child, and leaves no process."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from kombu.exceptions import OperationalError

from app.infra.task_names import QueueName, TaskName, queue_of
from tests.factories.celery_worker import CeleryWorker, make_sender, running_worker, send
from tests.factories.database import make_database
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until


@pytest.fixture(scope="module")
def worker() -> Iterator[CeleryWorker]:
    with tempfile.TemporaryDirectory(prefix="galley-celery-") as folder, running_redis() as server:
        make_database(Path(folder)).close()
        with running_worker(server, Path(folder)) as worker:
            yield worker


@pytest.mark.parametrize("queue", list(QueueName))
def test_worker_serves_every_queue(worker: CeleryWorker, queue: QueueName) -> None:
    before = worker.succeeded(TaskName.SWEEP_STAGING)
    worker.send(TaskName.SWEEP_STAGING, queue)

    wait_until(lambda: worker.succeeded(TaskName.SWEEP_STAGING) > before)


@pytest.mark.parametrize("task", [task for task in TaskName if queue_of(task) is QueueName.UPKEEP])
def test_worker_runs_every_upkeep_task(worker: CeleryWorker, task: TaskName) -> None:
    before = worker.succeeded(task)
    worker.send(task)

    wait_until(lambda: worker.succeeded(task) > before)


@pytest.mark.long
def test_killed_pool_process_is_replaced(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_worker(redis_server, tmp_path) as worker:
        victim = next(child for child in worker.family() if "ForkPoolWorker" in " ".join(child.cmdline()))
        victim.kill()
        worker.send(TaskName.CHECK_STORE)

        wait_until(lambda: worker.succeeded(TaskName.CHECK_STORE) > 0, timeout_s=30)


@pytest.mark.long
def test_pool_process_that_held_too_much_is_replaced(redis_server: RedisServer, tmp_path: Path) -> None:
    too_little = str(2**20)
    with running_worker(redis_server, tmp_path, JOB_MEMORY="1", JOB_MEMORY_LIMIT=too_little) as worker:
        first = next(child for child in worker.family() if "ForkPoolWorker" in " ".join(child.cmdline()))
        worker.send(TaskName.CHECK_STORE)
        wait_until(lambda: worker.succeeded(TaskName.CHECK_STORE) == 1, timeout_s=30)
        wait_until(lambda: not first.is_running(), timeout_s=30)

        worker.send(TaskName.CHECK_STORE)
        wait_until(lambda: worker.succeeded(TaskName.CHECK_STORE) == 2, timeout_s=30)


@pytest.mark.long
def test_killed_worker_leaves_no_process(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_worker(redis_server, tmp_path) as worker:
        family = worker.family()
        worker.process.send_signal(signal.SIGKILL)

        _, alive = psutil.wait_procs(family, timeout=60)
    assert len(family) >= 2
    assert alive == []


@pytest.mark.long
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
