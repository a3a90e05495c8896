"""A real worker that has gone deaf is ended, its messages stay, and the next one takes them."""

import signal
from functools import partial
from pathlib import Path

import pytest

from app.infra.task_names import TaskName
from tests.factories.celery_worker import CeleryWorker, running_worker
from tests.factories.redis_server import RedisServer
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

PATIENCE_S = "2"
END_TIMEOUT_S = 40.0
NO_BEAT = "this worker ends, to be started again: its beat sends nothing"
NOTICED = "this worker ends, to be started again: it receives nothing although messages wait for it"


def wait_for_end(worker: CeleryWorker) -> int:
    code: int = worker.process.wait(END_TIMEOUT_S)
    return code


def test_deaf_worker_ends_and_the_next_one_takes_its_messages(redis_server: RedisServer, tmp_path: Path) -> None:
    deaf = running_worker(redis_server, tmp_path, app="tests.factories.deaf_celery", WATCHDOG_S=PATIENCE_S)
    with deaf as worker:
        worker.send(TaskName.CHECK_STORE)
        assert wait_for_end(worker) == 0
        assert NOTICED in worker.log()
        assert worker.succeeded(TaskName.CHECK_STORE) == 0

    with running_worker(redis_server, tmp_path, WATCHDOG_S=PATIENCE_S) as worker:
        wait_until(lambda: worker.succeeded(TaskName.CHECK_STORE) == 1, timeout_s=30)


def test_worker_that_does_not_end_is_killed(redis_server: RedisServer, tmp_path: Path) -> None:
    stuck = running_worker(
        redis_server, tmp_path, app="tests.factories.stuck_celery", WATCHDOG_S=PATIENCE_S, DRAIN_S="1"
    )
    with stuck as worker:
        family = worker.family()
        worker.send(TaskName.CHECK_STORE)
        assert wait_for_end(worker) == -signal.SIGKILL

        wait_until(lambda: not any(process.is_running() for process in family), timeout_s=30)
    assert family


def test_worker_whose_beat_has_died_ends(redis_server: RedisServer, tmp_path: Path) -> None:
    """Nobody else would send what heals jobs; whoever keeps the worker up starts both again."""
    impatient = running_worker(redis_server, tmp_path, app="tests.factories.beatless_celery", WATCHDOG_S="15")
    with impatient as worker:
        (beat,) = [process for process in worker.family() if process not in worker.pool()]
        wait_until(lambda: worker.succeeded(TaskName.DISPATCH_CHUNKS) > 0, timeout_s=30)
        beat.kill()

        assert wait_for_end(worker) == 0
        assert NO_BEAT in worker.log()


def test_worker_that_is_well_is_left_alone(redis_server: RedisServer, tmp_path: Path) -> None:
    with running_worker(redis_server, tmp_path, WATCHDOG_S=PATIENCE_S) as worker:
        for number in range(20):
            worker.send(TaskName.SWEEP_STAGING)
            wait_until(partial(done_more_than, worker, number))

        assert NOTICED not in worker.log()


def done_more_than(worker: CeleryWorker, count: int) -> bool:
    return worker.succeeded(TaskName.SWEEP_STAGING) > count
