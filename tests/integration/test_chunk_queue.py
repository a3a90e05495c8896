"""Many workers at the chunks of the same jobs, on SQLite and on PostgreSQL: each chunk counts once, each job ends once.

Each worker has connections of its own, as a process of its own would have.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.db.migrate import upgrade
from app.db.repositories.clients import ClientRepository
from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFilter, JobState
from app.db.session import Database
from app.errors import GalleyError, KeyReused, StoreUnreachable, TooManyJobs, UnloadableArtifact
from app.infra.task_names import QueueName
from app.services import chunk_queue
from app.services.chunk_queue import ChunkOutcome, HeldChunk
from tests.factories.chunk_workers import LEASE_S, ROWS, Site, Worker, submission
from tests.factories.clients import make_facts
from tests.factories.waiting import wait_until
from tests.fakes.clock import FakeClock

SEEDS = range(3)
TIMES = 20
GOOD = ChunkOutcome(done=ROWS, failed=0, results="results/1", errors="")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A database of each kind, with one client; and workers that never lose heart."""
    monkeypatch.setattr(chunk_queue, "MOST_ATTEMPTS", 10**6)
    monkeypatch.setattr(chunk_queue, "MOST_FAULTS", 10**6)
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/galley.db" if is_sqlite else request.getfixturevalue("postgres").make_database()
    upgrade(url)
    database = Database(url)
    with database.write() as session:
        ClientRepository(session).add(make_facts())
    yield Site(url, database, FakeClock())
    database.close()


def outputs(workers: Sequence[Worker]) -> list[tuple[int, int]]:
    """Return number and attempt of what was accepted, by number."""
    return sorted((chunk.number, chunk.attempt) for worker in workers for chunk in worker.committed)


def take(site: Site) -> HeldChunk:
    held = site.queue.claim(QueueName.BATCH)
    assert held is not None
    return held


def at_once(*calls: Callable[[], object]) -> list[Any]:
    """Make calls at the same moment, each in a thread; return what they return, or the Galley error they raise."""
    barrier = threading.Barrier(len(calls))

    def call(one: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return one()
        except GalleyError as err:
            return err

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_chunk_counts_once_whatever_its_workers_do(site: Site, seed: int) -> None:
    job_id = site.post(30)
    workers, _ = site.at_work(job_id, seed)

    job = site.job(job_id)
    failed_rows = sum(worker.failed_rows for worker in workers)
    assert (job.state, job.done, job.failed, job.total) == (JobState.SUCCEEDED, 300, failed_rows, 300)
    # What counts is what the one worker wrote that was told so.
    assert [(chunk.number, chunk.attempt) for chunk in site.chunks(job_id)] == outputs(workers)
    assert [number for number, _ in outputs(workers)] == [*range(30)]
    assert sum(chunk.failed for chunk in site.chunks(job_id)) == failed_rows


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_chunks_of_an_ordered_job_begin_when_all_before_them_are_done(site: Site, seed: int) -> None:
    job_id = site.post(12, is_ordered=True)
    workers, _ = site.at_work(job_id, seed)

    taken = sorted((facts.number, facts.attempt, done) for worker in workers for facts, done in worker.taken)
    assert [done for _, _, done in taken] == [number * ROWS for number, _, _ in taken]
    assert any(attempt > 1 for _, attempt, _ in taken)
    assert [number for number, _ in outputs(workers)] == [*range(12)]
    assert site.job(job_id).state == JobState.SUCCEEDED


def test_ordered_job_is_done_chunk_by_chunk_and_holds_up_nobody(site: Site) -> None:
    ordered, _ = site.post(3, is_ordered=True), site.post(9)
    for number in range(3):
        held = [take(site) for _ in range(3)]
        (first,) = (one for one in held if one.job.id == ordered)
        assert first.facts.number == number
        assert site.queue.commit(first, GOOD)

    assert site.job(ordered).state == JobState.SUCCEEDED


@pytest.mark.parametrize("is_lost", [False, True])
def test_chunk_of_an_ordered_job_is_done_again_before_the_next_is_begun(site: Site, is_lost: bool) -> None:
    site.post(2, is_ordered=True)
    first = take(site)
    if not is_lost:
        site.queue.give_back(first, StoreUnreachable("away"))
    assert site.queue.claim(QueueName.BATCH) is None
    site.clock.advance(LEASE_S + 1)
    again = take(site)

    assert (again.facts.number, again.facts.attempt) == (0, 2)
    assert site.queue.claim(QueueName.BATCH) is None
    assert not site.queue.commit(first, GOOD)
    assert site.queue.commit(again, GOOD)
    assert take(site).facts.number == 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("end", [JobState.CANCELLED, JobState.FAILED])
def test_job_that_ends_early_keeps_what_was_accepted_and_no_more(site: Site, end: JobState, seed: int) -> None:
    job_id = site.post(40)
    moment = random.Random(seed).randrange(1, 20) * ROWS

    def cancel() -> bool:
        return site.batch.cancel(job_id)

    def fail() -> bool:
        while not site.is_over(job_id)():
            held = site.queue.claim(QueueName.BATCH)
            if held and site.queue.fail(held, UnloadableArtifact("broken")):
                return True
        return False

    def meanwhile() -> bool:
        wait_until(lambda: site.job(job_id).done >= moment)
        return cancel() if end == JobState.CANCELLED else fail()

    workers, is_ended = site.at_work(job_id, seed, meanwhile)
    job = site.job(job_id)
    # Where the others were done with all of it before, there was nothing to end.
    assert job.state == (end if is_ended else JobState.SUCCEEDED)
    assert [(chunk.number, chunk.attempt) for chunk in site.chunks(job_id)] == outputs(workers)
    assert moment <= job.done == ROWS * len(outputs(workers))
    assert site.queue.claim(QueueName.BATCH) is None
    assert site.queue.count_free(QueueName.BATCH) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_job_that_is_deleted_under_its_workers_disturbs_none_of_them(site: Site, seed: int) -> None:
    job_id = site.post(40)
    held = take(site)

    def delete() -> None:
        wait_until(lambda: site.job(job_id).done >= 100)
        site.batch.cancel(job_id)
        site.jobs.delete(job_id)

    site.at_work(job_id, seed, delete)
    assert not site.queue.renew(held)
    assert not site.queue.commit(held, GOOD)
    assert not site.queue.give_back(held, StoreUnreachable("away"))
    assert not site.queue.fail(held, UnloadableArtifact("broken"))


def test_last_chunks_that_end_at_the_same_moment_end_their_job(site: Site) -> None:
    for _ in range(TIMES):
        job_id = site.post(2)
        first, second = take(site), take(site)

        assert at_once(partial(site.queue.commit, first, GOOD), partial(site.queue.commit, second, GOOD)) == [True] * 2
        job = site.job(job_id)
        assert (job.state, job.done) == (JobState.SUCCEEDED, 2 * ROWS)


def test_chunk_committed_while_its_job_is_cancelled_counts_or_does_not(site: Site) -> None:
    for _ in range(TIMES):
        job_id = site.post(2)
        is_committed, is_cancelled = at_once(
            partial(site.queue.commit, take(site), GOOD), partial(site.batch.cancel, job_id)
        )

        assert is_cancelled
        assert len(site.chunks(job_id)) == is_committed == site.job(job_id).done // ROWS


def test_of_two_plans_the_one_of_who_holds_the_job_counts(site: Site) -> None:
    job, _ = site.batch.submit(submission())
    slow = site.jobs.claim(job.id)
    site.clock.advance(3600)
    fast = site.jobs.claim(job.id)
    assert slow is not None
    assert fast is not None
    one, other = ([ChunkDraft(first_row=1, row_count=count, place={})] for count in (5, 7))

    saved = at_once(partial(site.batch.save_plan, slow, one), partial(site.batch.save_plan, fast, other))
    assert saved == [False, True]
    assert (site.job(job.id).total, site.job(job.id).chunk_count) == (7, 1)


def test_of_plans_that_would_begin_at_once_one_does(site: Site) -> None:
    for _ in range(TIMES):
        posted = [site.batch.submit(submission())[0].id for _ in range(4)]
        begun = [
            job for job in at_once(*(partial(site.jobs.claim_plan, job_id) for job_id in posted)) if job is not None
        ]

        assert len(begun) == 1
        for job_id in posted:
            site.batch.cancel(job_id)


def test_same_request_from_eight_at_once_is_one_job(site: Site) -> None:
    same = [partial(site.batch.submit, submission(idempotency_key="k", fingerprint="same")) for _ in range(8)]
    answers = at_once(*same)
    assert len({job.id for job, _ in answers}) == 1
    assert sorted(is_earlier for _, is_earlier in answers) == [False, *[True] * 7]

    other = [partial(site.batch.submit, submission(idempotency_key="k", fingerprint="other")) for _ in range(8)]
    assert [type(answer) for answer in at_once(*other)] == [KeyReused] * 8


def test_client_gets_as_many_open_jobs_as_it_may_have_and_none_more(site: Site) -> None:
    batch = site.batch_of(most_open=5)
    answers = at_once(*(partial(batch.submit, submission()) for _ in range(12)))

    assert sum(isinstance(answer, TooManyJobs) for answer in answers) == 7
    assert site.jobs.count(JobFilter(client_id="checkout")) == 5
