"""Jobs and chunks are counted by how far they are, and how long they wait."""

import threading

import pytest

from app.db.repositories.job_chunks import ChunkDraft
from app.db.session import Database
from app.errors import RedisUnavailable
from app.infra.task_names import QueueName
from app.services.batch_jobs import BatchJobs
from app.services.chunk_queue import ChunkOutcome, ChunkQueue
from app.services.job_figures import FRESH_S, Figures, JobFigures
from tests.factories.waiting import wait_until
from tests.fakes.clock import FakeClock
from tests.unit.app.services.job_drafts import Sent, submission

PAUSE_S = 60.0


class Bench:
    """Jobs of two chunks, their queue, and the figures of both."""

    def __init__(self, database: Database) -> None:
        self.clock = FakeClock()
        clock = self.clock.clock()
        self.batch = BatchJobs(database, Sent(), most_open=100, clock=clock)
        self.chunks = ChunkQueue(database, lease_s=30.0, clock=clock)
        self.figures = JobFigures(database, clock=clock)

    def submit(self) -> str:
        """Post a job of two chunks."""
        drafts = [ChunkDraft(first_row=number, row_count=1, place={}) for number in (1, 2)]
        job, _ = self.batch.submit(submission(chunks=drafts))
        return job.id

    def finish_one(self) -> None:
        """Take a chunk and commit it."""
        held = self.chunks.claim(QueueName.BATCH)
        assert held is not None
        assert self.chunks.commit(held, ChunkOutcome(done=1, failed=0, results="", errors=""))


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


def test_nothing_is_zero_everywhere(bench: Bench) -> None:
    figures = bench.figures.read()

    assert set(figures.jobs.values()) | set(figures.chunks.values()) | set(figures.unserved_s.values()) == {0}
    assert set(figures.chunks) == {(queue, state) for queue in ("batch", "heavy") for state in ("queued", "running")}
    assert set(figures.jobs) == {"queued", "running", "succeeded", "failed", "cancelled"}


def test_jobs_and_chunks_are_counted_by_state(bench: Bench) -> None:
    ended, cancelled = bench.submit(), bench.submit()
    bench.batch.cancel(cancelled)
    bench.finish_one()
    bench.finish_one()
    bench.submit()
    bench.chunks.claim(QueueName.BATCH)

    figures = bench.figures.read()
    assert figures.jobs == {"queued": 0, "running": 1, "succeeded": 1, "failed": 0, "cancelled": 1}
    assert (figures.chunks["batch", "queued"], figures.chunks["batch", "running"]) == (1, 1)
    assert bench.figures.chunks_of(ended) == {"done": 2}
    assert bench.figures.chunks_of(cancelled) == {"dropped": 2}


def test_wait_counts_from_when_the_job_was_served_last(bench: Bench) -> None:
    bench.submit()
    bench.clock.advance(PAUSE_S)
    assert bench.figures.read().unserved_s == {"batch": PAUSE_S, "heavy": 0.0}

    bench.finish_one()
    bench.clock.advance(FRESH_S + 1)
    assert bench.figures.read().unserved_s["batch"] == FRESH_S + 1


def test_job_that_nobody_serves_is_not_hidden_by_one_that_is(bench: Bench) -> None:
    bench.submit()
    bench.finish_one()
    bench.clock.advance(PAUSE_S)
    bench.submit()
    bench.clock.advance(PAUSE_S)

    assert bench.figures.read().unserved_s["batch"] == 2 * PAUSE_S


def test_job_that_pauses_does_not_wait_for_a_worker(bench: Bench) -> None:
    bench.submit()
    held = bench.chunks.claim(QueueName.BATCH)
    assert held is not None
    bench.chunks.give_back(held, RedisUnavailable("Redis does not answer."))

    assert bench.figures.read().unserved_s["batch"] == 0.0
    assert bench.figures.read().chunks["batch", "queued"] == 2


def test_figures_are_counted_every_few_seconds(bench: Bench) -> None:
    before = bench.figures.read()
    bench.submit()
    assert bench.figures.read() is before

    bench.clock.advance(FRESH_S + 0.1)
    assert bench.figures.read().jobs["queued"] == 1


def test_figures_are_counted_once_for_all_who_ask_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    counting, counted = threading.Event(), list[Figures]()
    count = bench.figures._count

    def count_slowly() -> Figures:
        counting.set()
        wait_until(lambda: len(asking) == 2 and asking[1].is_alive())
        counted.append(count())
        return counted[-1]

    monkeypatch.setattr(bench.figures, "_count", count_slowly)
    asking = [threading.Thread(target=bench.figures.read)]
    asking[0].start()
    assert counting.wait(10)
    asking.append(threading.Thread(target=bench.figures.read))
    asking[1].start()
    for thread in asking:
        thread.join(10)

    assert len(counted) == 1
