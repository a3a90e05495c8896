"""A job that stands in SQL is worked on until it has ended, whatever becomes of tasks and workers."""

from datetime import timedelta

import pytest

from app.db.repositories.jobs import JobFacts, JobFilter, JobState
from app.db.session import Database
from app.errors import JobNotFound, JobRunning, RedisUnavailable, SampleMismatch, StoreUnreachable
from app.infra.log_context import current_traceparent, follow_request
from app.infra.task_names import TaskName
from app.services.back_off import FIRST_PAUSE_S, LONGEST_PAUSE_S, MOST_FAULTS
from app.services.jobs import LEASE_S, MOST_ATTEMPTS, RESENT_S, SENT_S, VERIFICATION, JobDraft, JobService
from tests.factories.traces import SAMPLED
from tests.fakes.clock import FakeClock


class Queue:
    """Keeps what was sent; away, it takes nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[TaskName, str]] = []
        self.is_away = False

    def send(self, task: TaskName, job_id: str) -> None:
        if self.is_away:
            raise RedisUnavailable("The broker does not answer.")
        self.sent.append((task, job_id))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jobs(database: Database, queue: Queue, clock: FakeClock) -> JobService:
    return JobService(database, queue.send, clock=clock.clock())


def create(jobs: JobService, client_id: str = "checkout") -> JobFacts:
    return jobs.create(JobDraft(kind=VERIFICATION, client_id=client_id, model_name="churn", parameters={"pin": True}))


def claim(jobs: JobService, job: JobFacts) -> JobFacts:
    held = jobs.claim(job.id)
    assert held is not None
    return held


def test_new_job_waits_and_its_task_is_sent(jobs: JobService, queue: Queue) -> None:
    follow_request("request-1", "")
    job = create(jobs)

    found = jobs.find(job.id)
    assert (found.state, found.attempt, found.parameters, found.request_id) == ("queued", 0, {"pin": True}, "request-1")
    assert found == job
    assert queue.sent == [(TaskName.VERIFY_VERSION, job.id)]


def test_job_hands_on_the_trace_of_its_request(jobs: JobService) -> None:
    follow_request("request-1", SAMPLED)

    assert jobs.find(create(jobs).id).traceparent == current_traceparent()


def test_job_stands_while_the_broker_is_away(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    queue.is_away = True
    job = create(jobs)
    queue.is_away = False
    clock.advance(SENT_S + 1)

    assert jobs.resend_lost() == [job.id]
    assert queue.sent == [(TaskName.VERIFY_VERSION, job.id)]


def test_task_that_waits_is_not_sent_over_and_over(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    create(jobs)
    clock.advance(SENT_S + 1)
    jobs.resend_lost()

    clock.advance(RESENT_S - 1)
    assert jobs.resend_lost() == []
    clock.advance(2)
    assert len(jobs.resend_lost()) == 1
    assert len(queue.sent) == 3


def test_only_one_worker_gets_a_job(jobs: JobService, clock: FakeClock) -> None:
    job = create(jobs)
    held = claim(jobs, job)

    assert (held.state, held.attempt) == (JobState.RUNNING, 1)
    assert held.started_at == clock.clock().utcnow()
    assert jobs.claim(job.id) is None
    assert jobs.claim("unheard-of") is None


def test_lost_worker_loses_its_job(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    first = claim(jobs, create(jobs))
    clock.advance(LEASE_S / 2)
    assert jobs.renew(first)
    clock.advance(LEASE_S - 1)
    assert jobs.resend_lost() == []

    clock.advance(2)
    assert jobs.resend_lost() == [first.id]
    second = claim(jobs, first)

    assert (second.attempt, second.started_at) == (2, first.started_at)
    assert not jobs.renew(first)
    assert not jobs.note_stage(first, "late")
    assert not jobs.succeed(first, result={})
    assert jobs.succeed(second, result={"version": 3}, version=3)
    assert queue.sent[-1] == (TaskName.VERIFY_VERSION, first.id)


def test_ended_job_tells_its_end(jobs: JobService, clock: FakeClock) -> None:
    good, bad = claim(jobs, create(jobs)), claim(jobs, create(jobs))
    clock.advance(5)
    jobs.succeed(good, result={"version": 3}, version=3)
    jobs.fail(bad, SampleMismatch("Sample 1 differs."))

    good, bad = jobs.find(good.id), jobs.find(bad.id)
    assert (good.state, good.version, good.result, good.error) == ("succeeded", 3, {"version": 3}, None)
    assert (bad.state, bad.error) == ("failed", {"code": "sample_mismatch", "detail": "Sample 1 differs."})
    assert good.finished_at == bad.finished_at == clock.clock().utcnow()
    assert jobs.claim(good.id) is None
    assert jobs.unfinished_ids() == frozenset()


def test_stage_is_seen(jobs: JobService) -> None:
    job = claim(jobs, create(jobs))

    assert jobs.note_stage(job, "loading" + "!" * 100)

    seen = jobs.find(job.id)
    assert (seen.stage[:8], len(seen.stage)) == ("loading!", 64)


def test_job_that_was_given_back_waits_for_longer_each_time(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    job = create(jobs)
    for faults in range(4):
        assert jobs.give_back(claim(jobs, job), StoreUnreachable("away"))
        queue.sent.clear()
        clock.advance(FIRST_PAUSE_S * 2**faults * 0.49)
        assert (jobs.claim(job.id), jobs.resend_lost()) == (None, [])

        clock.advance(FIRST_PAUSE_S * 2**faults * 0.52)
        assert (jobs.resend_lost(), queue.sent) == ([job.id], [(TaskName.VERIFY_VERSION, job.id)])

    waiting = jobs.find(job.id)
    assert (waiting.attempt, waiting.losses, waiting.faults, waiting.stage) == (4, 0, 4, "waits: store_unreachable")
    assert claim(jobs, job).stage == ""


def test_outage_that_does_not_pass_ends_the_job(jobs: JobService, clock: FakeClock) -> None:
    job = create(jobs)
    for _ in range(MOST_FAULTS + 1):
        jobs.give_back(claim(jobs, job), StoreUnreachable("The store is away."))
        clock.advance(LONGEST_PAUSE_S)

    assert jobs.find(job.id).error == {"code": "store_unreachable", "detail": "The store is away."}


def test_outages_are_no_lost_workers(jobs: JobService, clock: FakeClock) -> None:
    job = create(jobs)
    for _ in range(MOST_ATTEMPTS + 1):
        jobs.give_back(claim(jobs, job), StoreUnreachable("away"))
        clock.advance(LONGEST_PAUSE_S)
    claim(jobs, job)
    clock.advance(LEASE_S + 1)

    assert jobs.resend_lost() == [job.id]
    assert (jobs.find(job.id).state, jobs.find(job.id).losses) == (JobState.QUEUED, 1)


def test_lost_job_is_sent_once_and_waits_for_its_task(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    job = claim(jobs, create(jobs))
    clock.advance(LEASE_S + 1)
    for _ in range(3):
        jobs.resend_lost()

    assert queue.sent == [(TaskName.VERIFY_VERSION, job.id)] * 2
    assert jobs.find(job.id).stage == "waits: its worker was lost"


def test_job_that_kills_its_workers_is_given_up(jobs: JobService, queue: Queue, clock: FakeClock) -> None:
    job = create(jobs)
    for _ in range(MOST_ATTEMPTS):
        claim(jobs, job)
        clock.advance(LEASE_S + 1)
        jobs.resend_lost()

    ended = jobs.find(job.id)
    assert (ended.state, (ended.error or {})["code"]) == ("failed", "job_abandoned")
    assert "5 workers were lost with it" in (ended.error or {})["detail"]
    assert len(queue.sent) == MOST_ATTEMPTS


def test_worker_that_takes_the_job_of_too_many_gives_it_up(jobs: JobService, clock: FakeClock) -> None:
    job = create(jobs)
    for losses in range(MOST_ATTEMPTS):
        assert claim(jobs, job).losses == losses
        clock.advance(LEASE_S + 1)

    assert jobs.claim(job.id) is None
    assert (jobs.find(job.id).error or {})["code"] == "job_abandoned"


def test_processes_that_are_lost_without_their_worker_count_too(jobs: JobService, clock: FakeClock) -> None:
    job = create(jobs)
    for _ in range(MOST_ATTEMPTS):
        assert jobs.give_back_lost(claim(jobs, job))
        assert jobs.claim(job.id) is None
        clock.advance(LONGEST_PAUSE_S)

    assert (jobs.find(job.id).error or {})["code"] == "job_abandoned"


def test_waiting_job_is_cancelled_and_an_ended_one_forgotten(jobs: JobService) -> None:
    job = create(jobs)

    jobs.delete(job.id)
    assert jobs.find(job.id).state == JobState.CANCELLED
    assert jobs.claim(job.id) is None

    jobs.delete(job.id)
    with pytest.raises(JobNotFound):
        jobs.find(job.id)


def test_running_job_is_not_deleted(jobs: JobService) -> None:
    job = claim(jobs, create(jobs))

    with pytest.raises(JobRunning):
        jobs.delete(job.id)
    assert jobs.find(job.id).state == JobState.RUNNING


def test_jobs_are_listed_newest_first_by_what_is_wanted(jobs: JobService, clock: FakeClock) -> None:
    made = []
    for client_id in ("checkout", "billing", "checkout"):
        clock.advance(timedelta(seconds=1).total_seconds())
        made.append(create(jobs, client_id).id)
    claim(jobs, jobs.find(made[0]))

    def ids(**wanted: object) -> list[str]:
        return [job.id for job in jobs.page(JobFilter(**wanted))]  # type: ignore[arg-type]

    assert ids() == made[::-1]
    assert ids(client_id="checkout") == [made[2], made[0]]
    assert ids(state="running") == [made[0]]
    assert ids(kinds=()) == []
    assert jobs.count(JobFilter(client_id="checkout", kinds=(VERIFICATION,))) == 2
    assert [job.id for job in jobs.page(JobFilter(), offset=1, limit=1)] == [made[1]]


def test_job_of_another_is_not_found(jobs: JobService) -> None:
    job = create(jobs)

    assert jobs.find(job.id, JobFilter(client_id="checkout", state="queued", kinds=(VERIFICATION,))) == job
    for wanted in (JobFilter(client_id="billing"), JobFilter(kinds=()), JobFilter(state="failed")):
        with pytest.raises(JobNotFound):
            jobs.find(job.id, wanted)
