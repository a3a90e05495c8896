"""A worker keeps its job while it works, and the job ends as the work does."""

import threading
from typing import Any
from unittest import mock

import pytest

from app.db.repositories.jobs import JobFacts, JobState
from app.db.session import Database
from app.errors import DatabaseUnavailable, GalleyError, ModelFailed, RedisUnavailable, StoreUnreachable
from app.services import recording
from app.services.job_lease import holding
from app.services.jobs import LEASE_S, VERIFICATION, JobDraft, JobService
from tests.factories.waiting import wait_until
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobService:
    return JobService(database, lambda _task, _job_id: None, clock=clock.clock())


@pytest.fixture
def job(jobs: JobService) -> JobFacts:
    draft = JobDraft(kind=VERIFICATION, client_id="checkout", model_name="churn")
    held = jobs.claim(jobs.create(draft).id)
    assert held is not None
    return held


def test_work_that_ends_well_ends_the_job(jobs: JobService, job: JobFacts) -> None:
    with holding(jobs, job) as held:
        held.note_stage("working")
        held.succeed(result={"version": 2}, version=2)

    assert (jobs.find(job.id).state, jobs.find(job.id).version) == ("succeeded", 2)


def test_failure_of_the_jobs_own_ends_it_and_goes_no_further(jobs: JobService, job: JobFacts) -> None:
    with holding(jobs, job):
        raise ModelFailed("It raised.")

    assert jobs.find(job.id).error == {"code": "model_failed", "detail": "It raised."}


@pytest.mark.parametrize("error", [RedisUnavailable("away"), StoreUnreachable("away")])
def test_outage_gives_the_job_back(jobs: JobService, job: JobFacts, error: GalleyError) -> None:
    with holding(jobs, job):
        raise error

    waiting = jobs.find(job.id)
    assert (waiting.state, waiting.stage, waiting.faults) == (JobState.QUEUED, f"waits: {error.code}", 1)


def test_job_waits_though_sql_does_not_hear_of_it_at_once(
    jobs: JobService, job: JobFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_back, left = jobs.give_back, [DatabaseUnavailable("away")] * 2

    def hear_at_last(*args: Any) -> bool:
        if left:
            raise left.pop()
        return give_back(*args)

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,) * 2)
    monkeypatch.setattr(jobs, "give_back", hear_at_last)
    with holding(jobs, job):
        raise StoreUnreachable("away")

    assert (jobs.find(job.id).state, jobs.find(job.id).losses) == (JobState.QUEUED, 0)


def test_mistake_ends_the_job_though_sql_does_not_hear_of_it_at_once(
    jobs: JobService, job: JobFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, left = jobs.fail, [DatabaseUnavailable("away")]

    def hear_at_last(*args: Any) -> bool:
        if left:
            raise left.pop()
        return fail(*args)

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    monkeypatch.setattr(jobs, "fail", hear_at_last)
    with pytest.raises(KeyError), holding(jobs, job):
        raise KeyError("a mistake")

    assert (jobs.find(job.id).error or {})["code"] == "job_abandoned"


def test_mistake_ends_the_job_and_travels_on(jobs: JobService, job: JobFacts) -> None:
    with pytest.raises(KeyError), holding(jobs, job):
        raise KeyError("a mistake")

    assert (jobs.find(job.id).error or {})["code"] == "job_abandoned"


def test_lost_lease_stops_the_work_without_a_word(jobs: JobService, job: JobFacts, clock: FakeClock) -> None:
    steps = []
    with holding(jobs, job) as held:
        clock.advance(LEASE_S + 1)
        assert jobs.claim(job.id) is not None
        steps.append("before")
        held.note_stage("late")
        steps.append("after")

    assert steps == ["before"]
    assert (jobs.find(job.id).state, jobs.find(job.id).attempt, jobs.find(job.id).stage) == ("running", 2, "")


def test_lease_is_renewed_while_the_work_takes(jobs: JobService, job: JobFacts, clock: FakeClock) -> None:
    with holding(jobs, job, renew_every_s=0.01) as held:
        clock.advance(LEASE_S - 1)
        due = clock.clock().utcnow()
        wait_until(lambda: (jobs.find(job.id).lease_until or due) > (job.lease_until or due))
        clock.advance(LEASE_S - 1)

        assert jobs.claim(job.id) is None
        held.succeed(result={})


def test_renewing_outlives_an_outage_of_sql(jobs: JobService, job: JobFacts) -> None:
    heard = threading.Semaphore(0)
    answers = iter([DatabaseUnavailable("away"), True])

    def renew(_job: JobFacts) -> bool:
        heard.release()
        answer = next(answers, True)
        if isinstance(answer, Exception):
            raise answer
        return True

    with mock.patch.object(jobs, "renew", renew), holding(jobs, job, renew_every_s=0.01) as held:
        assert all(heard.acquire(timeout=10) for _ in range(3))
        held.succeed(result={})
