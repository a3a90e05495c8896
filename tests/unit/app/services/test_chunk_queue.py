"""Chunks are taken in turn, held by a lease, and count once."""

import pytest

from app.db.repositories.job_chunks import ChunkDraft, ChunkState
from app.db.repositories.jobs import JobState
from app.db.session import Database
from app.errors import RedisUnavailable, StoreUnreachable, UnloadableArtifact
from app.infra.task_names import QueueName
from app.services.back_off import FIRST_PAUSE_S, LONGEST_PAUSE_S, MOST_FAULTS
from app.services.batch_jobs import BatchJobs
from app.services.chunk_queue import ChunkOutcome, ChunkQueue, HeldChunk
from app.services.jobs import MOST_ATTEMPTS, JobService
from tests.fakes.clock import FakeClock
from tests.unit.app.services.job_drafts import Sent, submission

LEASE_S = 30.0
GOOD = ChunkOutcome(done=10, failed=0, results="results/1", errors="")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def batch(database: Database, clock: FakeClock) -> BatchJobs:
    return BatchJobs(database, Sent(), most_open=20, clock=clock.clock())


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, Sent(), clock=clock.clock())


@pytest.fixture
def chunks(database: Database, clock: FakeClock) -> ChunkQueue:
    return ChunkQueue(database, lease_s=LEASE_S, clock=clock.clock())


def post(batch: BatchJobs, count: int, client_id: str = "checkout", **values: object) -> str:
    drafts = [ChunkDraft(first_row=1 + 10 * i, row_count=10, place={"offset": i}) for i in range(count)]
    job, _ = batch.submit(submission(client_id=client_id, chunks=drafts, **values))
    return job.id


def take(chunks: ChunkQueue) -> HeldChunk:
    held = chunks.claim(QueueName.BATCH)
    assert held is not None
    return held


def test_chunks_of_a_job_come_in_order_and_end_it(batch: BatchJobs, jobs: JobService, chunks: ChunkQueue) -> None:
    job_id = post(batch, 3)
    for number in range(3):
        assert jobs.find(job_id).state == (JobState.RUNNING if number else JobState.QUEUED)
        held = take(chunks)
        assert (held.facts.number, held.facts.first_row, held.facts.place) == (
            number,
            1 + 10 * number,
            {"offset": number},
        )
        assert chunks.commit(held, GOOD)

    job = jobs.find(job_id)
    assert (job.state, job.done, job.failed, job.total) == (JobState.SUCCEEDED, 30, 0, 30)
    assert chunks.claim(QueueName.BATCH) is None


def test_clients_take_turns_however_much_one_has(batch: BatchJobs, chunks: ChunkQueue, clock: FakeClock) -> None:
    large, small = post(batch, 100, "large"), post(batch, 2, "small")
    taken = []
    for _ in range(5):
        clock.advance(1)
        held = take(chunks)
        taken.append(held.job.id)
        chunks.commit(held, GOOD)

    assert taken[:4] in ([large, small, large, small], [small, large, small, large])
    assert taken[4] == large


def test_queues_are_apart(batch: BatchJobs, chunks: ChunkQueue) -> None:
    post(batch, 1, queue=QueueName.HEAVY)

    assert chunks.claim(QueueName.BATCH) is None
    assert chunks.count_free(QueueName.HEAVY) == 1


def test_chunk_of_a_silent_worker_is_anothers_and_counts_once(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 1)
    lost = take(chunks)
    assert chunks.claim(QueueName.BATCH) is None
    clock.advance(LEASE_S + 1)
    found = take(chunks)

    assert (found.facts.number, found.facts.attempt) == (0, 2)
    assert not chunks.renew(lost)
    assert not chunks.commit(lost, GOOD)
    assert not chunks.give_back(lost, RedisUnavailable("away"))
    assert not chunks.fail(lost, UnloadableArtifact("broken"))
    assert jobs.find(job_id).done == 0
    assert chunks.commit(found, GOOD)
    assert jobs.find(job_id).done == 10


def test_chunk_that_is_done_is_so_however_often_its_worker_says_it(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue
) -> None:
    job_id = post(batch, 2)
    for done in (10, 20):
        held = take(chunks)
        assert [chunks.commit(held, GOOD) for _ in range(3)] == [True] * 3
        assert not chunks.give_back(held, RedisUnavailable("away"))
        assert not chunks.fail(held, UnloadableArtifact("broken"))
        assert jobs.find(job_id).done == done

    assert jobs.find(job_id).state == JobState.SUCCEEDED


def test_renewed_lease_holds(batch: BatchJobs, chunks: ChunkQueue, clock: FakeClock) -> None:
    post(batch, 1)
    held = take(chunks)
    clock.advance(LEASE_S - 1)
    assert chunks.renew(held)
    clock.advance(LEASE_S - 1)

    assert chunks.claim(QueueName.BATCH) is None


def test_rows_that_end_each_worker_end_their_job(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 2)
    for _ in range(MOST_ATTEMPTS):
        take(chunks)
        clock.advance(LEASE_S + 1)

    assert chunks.claim(QueueName.BATCH) is None
    job = jobs.find(job_id)
    assert job.state == JobState.FAILED
    assert job.error is not None
    assert "5 workers were lost with its rows 1 to 10" in job.error["detail"]


def test_fault_that_passes_pauses_a_chunk_longer_each_time(
    batch: BatchJobs, chunks: ChunkQueue, clock: FakeClock
) -> None:
    post(batch, 1)
    for faults in range(4):
        assert chunks.give_back(take(chunks), StoreUnreachable("away"))
        clock.advance(2**faults * 0.99)
        assert chunks.claim(QueueName.BATCH) is None
        clock.advance(2**faults * 1.02)


def test_outage_pauses_the_whole_job_and_counts_once(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 100)
    for rounds in range(1, 5):
        held = [take(chunks) for _ in range(8)]
        assert all(chunks.give_back(one, StoreUnreachable("away")) for one in held)

        job = jobs.find(job_id)
        assert (job.faults, job.stage) == (rounds, "waits: store_unreachable")
        assert (chunks.count_free(QueueName.BATCH), chunks.claim(QueueName.BATCH)) == (0, None)
        clock.advance(FIRST_PAUSE_S * 2**rounds)


def test_job_that_pauses_is_in_nobodys_way(batch: BatchJobs, chunks: ChunkQueue) -> None:
    pausing, other = post(batch, 2, "pausing"), post(batch, 2, "other")
    held = [take(chunks) for _ in range(2)]
    for one in held:
        if one.job.id == pausing:
            chunks.give_back(one, StoreUnreachable("away"))

    assert take(chunks).job.id == other
    assert chunks.claim(QueueName.BATCH) is None


def test_rows_that_are_done_end_the_pause(batch: BatchJobs, jobs: JobService, chunks: ChunkQueue) -> None:
    job_id = post(batch, 3)
    slow, faulty = take(chunks), take(chunks)
    chunks.give_back(faulty, StoreUnreachable("away"))
    assert chunks.claim(QueueName.BATCH) is None
    chunks.commit(slow, GOOD)

    job = jobs.find(job_id)
    assert (job.faults, job.not_before, job.stage) == (0, None, "")
    # The one that failed has a pause of its own.
    assert take(chunks).facts.number == 2
    assert chunks.claim(QueueName.BATCH) is None


def test_worker_that_lost_its_chunk_pauses_nobody(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 1)
    slow = take(chunks)
    clock.advance(LEASE_S + 1)
    take(chunks)

    assert not chunks.give_back(slow, StoreUnreachable("away"))
    assert (jobs.find(job_id).faults, jobs.find(job_id).not_before) == (0, None)


def test_chunk_whose_fault_does_not_pass_ends_the_job_though_others_go_on(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 100)
    faults = 0
    while not jobs.find(job_id).state.is_final:
        held = chunks.claim(QueueName.BATCH)
        if held is None:
            clock.advance(FIRST_PAUSE_S)
        elif held.facts.number == 0:
            faults += chunks.give_back(held, StoreUnreachable("away"))
        else:
            # Each time, the job's own count begins anew.
            chunks.commit(held, GOOD)
            clock.advance(LONGEST_PAUSE_S)

    job = jobs.find(job_id)
    assert ((job.error or {})["code"], faults) == ("store_unreachable", MOST_FAULTS + 1)
    assert job.done > 0


def test_jobs_that_wait_for_the_disk_say_so_until_they_go_on(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue
) -> None:
    waiting, heavy = post(batch, 2), post(batch, 1, queue=QueueName.HEAVY)
    unplanned = batch.submit(submission())[0].id
    for _ in range(2):
        chunks.note_short(QueueName.BATCH)
    assert [jobs.find(job_id).stage for job_id in (waiting, heavy, unplanned)] == ["waits: the disk of jobs", "", ""]

    chunks.commit(take(chunks), GOOD)
    assert jobs.find(waiting).stage == ""


def test_fault_that_does_not_pass_ends_the_job(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, clock: FakeClock
) -> None:
    job_id = post(batch, 1)
    for _ in range(MOST_FAULTS + 1):
        chunks.give_back(take(chunks), StoreUnreachable("The store is away."))
        clock.advance(301)

    assert jobs.find(job_id).error == {"code": "store_unreachable", "detail": "The store is away."}


def test_too_many_bad_rows_end_the_job_at_once(batch: BatchJobs, jobs: JobService, chunks: ChunkQueue) -> None:
    job_id = post(batch, 10, max_error_share=0.1)
    for failed in (6, 4):
        chunks.commit(take(chunks), ChunkOutcome(done=10, failed=failed, results="", errors="errors/1"))
    assert jobs.find(job_id).state == JobState.RUNNING

    chunks.commit(take(chunks), ChunkOutcome(done=10, failed=1, results="", errors="errors/2"))
    job = jobs.find(job_id)
    assert job.error is not None
    assert (job.state, job.error["code"]) == (JobState.FAILED, "too_many_errors")
    assert chunks.claim(QueueName.BATCH) is None


@pytest.mark.parametrize("total", [7, 100, 1000])
def test_exactly_the_share_of_bad_rows_is_not_too_many(database: Database, total: int) -> None:
    service = JobService(database, Sent())
    batch, chunks = BatchJobs(database, Sent(), most_open=2 * total), ChunkQueue(database, lease_s=LEASE_S)
    rows = [ChunkDraft(first_row=1, row_count=total, place={})]
    for failed in sorted({1, total // 9, total * 29 // 100, total * 57 // 100, total - 1}):
        for allowed, state in ((failed, JobState.SUCCEEDED), (failed - 1, JobState.FAILED)):
            job, _ = batch.submit(submission(chunks=rows, max_error_share=allowed / total))
            chunks.commit(take(chunks), ChunkOutcome(done=total, failed=failed, results="", errors="errors/1"))
            assert service.find(job.id).state == state, (failed, allowed)


def test_cancelled_job_keeps_what_is_done_and_takes_no_more(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue
) -> None:
    job_id = post(batch, 3)
    chunks.commit(take(chunks), GOOD)
    held = take(chunks)

    assert batch.cancel(job_id)
    assert not batch.cancel(job_id)
    assert not chunks.renew(held)
    assert not chunks.commit(held, GOOD)
    job = jobs.find(job_id)
    assert (job.state, job.done) == (JobState.CANCELLED, 10)
    assert [(chunk.number, chunk.state) for chunk in batch.written_chunks(job)] == [(0, ChunkState.DONE)]
