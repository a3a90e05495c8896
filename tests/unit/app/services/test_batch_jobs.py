"""Jobs over rows: taken in once, planned once, and told of as far as they are."""

import pytest

from app.db.repositories.job_chunks import ChunkDraft, JobChunkRepository
from app.db.repositories.jobs import JobFacts
from app.db.session import Database
from app.errors import KeyReused, ResultsGone, TooManyJobs
from app.infra.log_context import current_traceparent, follow_request
from app.infra.task_names import QueueName, TaskName
from app.services.batch_jobs import FIRST_TICKETS, BatchJobs, ticket_of
from app.services.chunk_queue import ChunkOutcome, ChunkQueue
from app.services.jobs import SENT_S, JobService
from tests.factories.traces import SAMPLED
from tests.fakes.clock import FakeClock
from tests.unit.app.services.job_drafts import Sent, submission

ONE = ChunkDraft(first_row=1, row_count=1, place={})


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def batch(database: Database, sent: Sent, clock: FakeClock) -> BatchJobs:
    return BatchJobs(database, sent, most_open=3, clock=clock.clock())


@pytest.fixture
def jobs(database: Database, sent: Sent, clock: FakeClock) -> JobService:
    return JobService(database, sent, clock=clock.clock())


@pytest.fixture
def chunks(database: Database, clock: FakeClock) -> ChunkQueue:
    return ChunkQueue(database, lease_s=30.0, clock=clock.clock())


def planned(batch: BatchJobs, jobs: JobService, count: int) -> JobFacts:
    job, _ = batch.submit(submission())
    held = jobs.claim(job.id)
    assert held is not None
    drafts = [ChunkDraft(first_row=1 + 10 * i, row_count=10, place={"offset": i}) for i in range(count)]
    assert batch.save_plan(held, drafts)
    return jobs.find(job.id)


def test_job_hands_on_the_trace_of_its_request(batch: BatchJobs, jobs: JobService) -> None:
    follow_request("request-1", SAMPLED)
    job, _ = batch.submit(submission())

    found = jobs.find(job.id)
    assert (found.request_id, found.traceparent) == ("request-1", current_traceparent())


def test_job_to_plan_waits_for_its_planner(batch: BatchJobs, jobs: JobService, sent: Sent) -> None:
    job, is_earlier = batch.submit(submission())

    assert not is_earlier
    assert jobs.find(job.id) == job
    assert (job.state, job.total, job.chunk_count) == ("queued", None, None)
    assert sent == [(TaskName.PLAN_JOB, (job.id,))]


def test_planner_that_is_lost_is_sent_again(batch: BatchJobs, jobs: JobService, sent: Sent, clock: FakeClock) -> None:
    sent.is_away = True
    job, _ = batch.submit(submission())
    clock.advance(SENT_S + 1)
    jobs.send_plans()
    sent.is_away = False

    assert jobs.send_plans() == [job.id]
    assert sent == [(TaskName.PLAN_JOB, (job.id,))]


def test_plan_says_how_much_there_is_and_sends_tickets(batch: BatchJobs, jobs: JobService, sent: Sent) -> None:
    job = planned(batch, jobs, 7)

    assert (job.state, job.total, job.chunk_count, job.lease_until) == ("running", 70, 7, None)
    assert sent[1:] == [(TaskName.RUN_CHUNK, ())] * FIRST_TICKETS


def test_what_places_share_is_kept_once(batch: BatchJobs, jobs: JobService, chunks: ChunkQueue) -> None:
    job, _ = batch.submit(submission())
    held = jobs.claim(job.id)
    assert held is not None
    places = [{"columns": ["a", "b"], "slice": name, "only": 1} for name in ("one", "two")]
    del places[1]["only"]
    batch.save_plan(held, [ChunkDraft(first_row=i, row_count=1, place=place) for i, place in enumerate(places, 1)])

    assert jobs.find(job.id).place == {"columns": ["a", "b"]}
    for place in places:
        taken = chunks.claim(QueueName.BATCH)
        assert taken is not None
        assert taken.facts.place == place


def test_plan_of_a_planner_that_was_thought_lost_counts_for_nothing(
    batch: BatchJobs, jobs: JobService, clock: FakeClock
) -> None:
    job, _ = batch.submit(submission())
    slow = jobs.claim(job.id)
    clock.advance(3600)
    fast = jobs.claim(job.id)
    assert slow is not None
    assert fast is not None

    assert not batch.save_plan(slow, [ONE])
    assert batch.save_plan(fast, [ONE, ONE])
    assert jobs.find(job.id).chunk_count == 2


def test_single_request_needs_no_plan(batch: BatchJobs, sent: Sent) -> None:
    job, _ = batch.submit(submission(queue=QueueName.HEAVY, chunks=[ONE]))

    assert (job.total, job.chunk_count, job.lease_until) == (1, 1, None)
    assert sent == [(ticket_of(QueueName.HEAVY), ())]


def test_same_key_and_request_are_the_same_job(batch: BatchJobs, sent: Sent) -> None:
    job, _ = batch.submit(submission(idempotency_key="a", fingerprint="1"))

    assert batch.submit(submission(idempotency_key="a", fingerprint="1")) == (job, True)
    assert len(sent) == 1
    other, is_earlier = batch.submit(submission(idempotency_key="a", fingerprint="1", client_id="other"))
    assert (other.id != job.id, is_earlier) == (True, False)
    with pytest.raises(KeyReused, match="'a'"):
        batch.submit(submission(idempotency_key="a", fingerprint="2"))


def test_client_has_so_many_open_jobs_and_no_more(batch: BatchJobs) -> None:
    first, *_ = [batch.submit(submission())[0] for _ in range(3)]
    with pytest.raises(TooManyJobs):
        batch.check_may_submit("checkout")
    with pytest.raises(TooManyJobs, match="3 jobs"):
        batch.submit(submission())

    batch.submit(submission(client_id="other"))
    batch.cancel(first.id)
    batch.submit(submission())


def test_running_job_shows_what_is_done_without_a_gap(batch: BatchJobs, jobs: JobService, chunks: ChunkQueue) -> None:
    job = planned(batch, jobs, 4)
    held = [chunks.claim(QueueName.BATCH) for _ in range(4)]
    for number in (0, 2):
        one = held[number]
        assert one is not None
        chunks.commit(one, ChunkOutcome(done=10, failed=0, results=f"results/{number}", errors=""))

    assert [chunk.results for chunk in batch.written_chunks(jobs.find(job.id))] == ["results/0"]
    batch.cancel(job.id)
    assert [chunk.results for chunk in batch.written_chunks(jobs.find(job.id))] == ["results/0", "results/2"]


def test_what_was_purged_is_gone_and_its_row_stays(batch: BatchJobs, jobs: JobService) -> None:
    job = planned(batch, jobs, 2)
    batch.cancel(job.id)
    seen_before = jobs.find(job.id)
    assert batch.has_files()

    batch.note_purged(job.id)
    assert not batch.has_files()
    assert jobs.find(job.id).state == "cancelled"
    # Also for who read the job just before: without chunks it would be one that wrote nothing.
    for seen in (seen_before, jobs.find(job.id)):
        with pytest.raises(ResultsGone):
            batch.written_chunks(seen)


def test_job_that_succeeded_without_chunks_has_lost_them(
    batch: BatchJobs, jobs: JobService, chunks: ChunkQueue, database: Database
) -> None:
    job = planned(batch, jobs, 1)
    held = chunks.claim(QueueName.BATCH)
    assert held is not None
    chunks.commit(held, ChunkOutcome(done=10, failed=0, results="results/0", errors=""))
    with database.write() as session:
        JobChunkRepository(session).replace(job.id, "", ())

    with pytest.raises(ResultsGone):
        batch.written_until(jobs.find(job.id))
