"""Moves of jobs: each happens once, whoever tries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.db.repositories.jobs import JobFacts, JobFilter, JobRepository, JobState
from app.errors import JobNotFound
from tests.factories.database import make_database

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
JOB = JobFacts(
    id="one",
    kind="verification",
    state=JobState.QUEUED,
    client_id="checkout",
    model_name="churn",
    version=None,
    parameters={"alias": None},
    request_id="request-1",
    lease_until=NOW,
    created_at=NOW,
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        yield session
    database.close()


@pytest.fixture
def jobs(session: Session) -> JobRepository:
    jobs = JobRepository(session)
    jobs.add(JOB)
    return jobs


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_job_comes_back_as_it_was_added(jobs: JobRepository) -> None:
    assert jobs.get("one") == JOB
    with pytest.raises(JobNotFound):
        jobs.get("two")


def test_claim_counts_attempts_and_keeps_the_start(jobs: JobRepository) -> None:
    assert jobs.claim("one", now=NOW, lease_until=later(60))
    assert not jobs.claim("one", now=later(59), lease_until=later(120))
    assert jobs.claim("one", now=later(61), lease_until=later(120))

    job = jobs.get("one")
    assert (job.state, job.attempt, job.started_at, job.lease_until) == ("running", 2, NOW, later(120))


def test_only_the_newest_attempt_changes_a_job(jobs: JobRepository) -> None:
    jobs.claim("one", now=NOW, lease_until=later(60))
    first = jobs.get("one")
    jobs.claim("one", now=later(61), lease_until=later(120))

    assert not jobs.change_held(first, stage="late")
    assert jobs.change_held(jobs.get("one"), stage="on time")
    assert not jobs.change_waiting("one", stage="not waiting")
    assert jobs.get("one").stage == "on time"


def test_ended_job_changes_no_more(jobs: JobRepository) -> None:
    jobs.claim("one", now=NOW, lease_until=later(60))
    held = jobs.get("one")
    assert not jobs.delete_ended("one")
    assert jobs.change_held(held, state=JobState.FAILED, error={"code": "x", "detail": "y"})

    assert not jobs.change_held(held, state=JobState.SUCCEEDED)
    assert not jobs.claim("one", now=later(999), lease_until=later(1000))
    assert jobs.get("one").state.is_final
    assert jobs.delete_ended("one")


def test_lost_are_those_not_heard_of_in_time(jobs: JobRepository) -> None:
    jobs.add(replace(JOB, id="running", state=JobState.RUNNING, lease_until=later(60)))
    jobs.add(replace(JOB, id="ended", state=JobState.SUCCEEDED, lease_until=None))

    assert [job.id for job in jobs.lost(later(1))] == ["one"]
    assert {job.id for job in jobs.lost(later(61))} == {"one", "running"} == jobs.unfinished_ids()


def test_pages_and_counts_follow_the_filter(jobs: JobRepository) -> None:
    jobs.add(replace(JOB, id="two", created_at=later(1), client_id="billing"))

    assert [job.id for job in jobs.page(JobFilter())] == ["two", "one"]
    assert [job.id for job in jobs.page(JobFilter(client_id="checkout"))] == ["one"]
    assert jobs.count(JobFilter(kinds=("verification",), state="queued")) == 2
    assert jobs.count(JobFilter(kinds=("images",))) == 0
