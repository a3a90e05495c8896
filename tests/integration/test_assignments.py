"""The assignment log over a real Redis: of several workers, while it is away or hangs, and at the end."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.services.assignments import AssignmentLog
from app.services.experiment_store import VariantCounts
from tests.factories.assignments import make_assignment
from tests.factories.redis_server import RedisServer
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker, make_worker

TIMEOUT_S = 0.2


@pytest.fixture
def workers(tmp_path: Path, server: RedisServer) -> Iterator[list[WebWorker]]:
    """Two workers with one database and one Redis."""
    with ExitStack() as stack:
        made = [make_worker(tmp_path, redis_url=server.url, redis_timeout_s=TIMEOUT_S) for _ in range(2)]
        for worker in made:
            worker.publish()
            stack.callback(worker.services.close)
        yield made


@pytest.fixture
def log(workers: list[WebWorker]) -> AssignmentLog:
    return workers[0].services.assignments


def note(log: AssignmentLog, *numbers: int) -> None:
    for number in numbers:
        log.note(make_assignment(number))


def counted(worker: WebWorker) -> VariantCounts:
    """Return what the readout of the worker says of the variant `control`."""
    readout = worker.services.experiments.readout("digits", 3)
    counts = [variant.counts for variant in readout.variants if variant.name == "control"]
    return counts[0] if counts and counts[0] else VariantCounts()


def test_the_counts_of_workers_add_up(workers: list[WebWorker]) -> None:
    for worker in workers:
        note(worker.services.assignments, *range(100))
        worker.services.assignments.flush()

    assert {(counted(worker).requests, counted(worker).subjects) for worker in workers} == {(200, 100)}


def test_a_running_log_writes_by_itself_and_at_its_end(workers: list[WebWorker], log: AssignmentLog) -> None:
    log.start()
    note(log, *range(10))
    wait_until(lambda: counted(workers[1]).requests == 10)
    note(log, *range(10, 15))
    log.stop()

    assert counted(workers[1]).requests == 15


def test_what_came_while_redis_was_away_is_counted_when_it_is_back(
    workers: list[WebWorker], log: AssignmentLog, server: RedisServer
) -> None:
    log.start()
    server.stop()
    note(log, *range(2500))
    server.start()
    wait_until(lambda: counted(workers[1]).requests == 2500)
    log.stop()

    assert counted(workers[1]).subjects == 2500


def test_a_hung_redis_holds_nobody_and_counts_nothing_twice(
    workers: list[WebWorker], log: AssignmentLog, server: RedisServer
) -> None:
    note(log, 1)
    log.flush()
    server.freeze()
    note(log, *range(2, 12))
    began = time.monotonic()
    note(log, *range(12, 22))
    noted_s = time.monotonic() - began
    # Redis finds this call when it wakes, though nobody waits for its answer any more.
    assert not log.flush()
    server.thaw()

    assert log.flush()
    assert noted_s < TIMEOUT_S
    assert counted(workers[1]).requests == 21


def test_without_redis_the_readout_says_what_it_lacks(workers: list[WebWorker], server: RedisServer) -> None:
    server.stop()

    readout = workers[0].services.experiments.readout("digits", 3)

    assert readout.notes[0].startswith("Redis does not answer")
    assert readout.sample_ratio.is_mismatch is None
