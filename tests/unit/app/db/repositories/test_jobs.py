"""Moves of jobs: each happens once, whoever tries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.repositories.jobs import JobFilter, JobRepository, JobState, read_job
from app.errors import JobNotFound, VersionExists
from tests.factories.database import make_database
from tests.factories.jobs import make_job

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
JOB = make_job(
    id="one",
    kind="verification",
    state=JobState.QUEUED,
    model_name="churn",
    version=None,
    parameters={"alias": None},
    queue="",
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


def test_job_is_read_without_a_unit_of_work(session: Session, jobs: JobRepository) -> None:
    assert read_job(session.connection(), "one") == JOB
    with pytest.raises(JobNotFound):
        read_job(session.connection(), "two")


def test_number_is_published_by_one_job_at_a_time(session: Session, jobs: JobRepository) -> None:
    job = replace(JOB, id="two", version=7)
    jobs.add(job)
    jobs.add(replace(job, id="of another model", model_name="fraud"))
    jobs.add(replace(job, id="of another kind", kind="tensor"))
    jobs.change_waiting("two", state=JobState.CANCELLED)
    jobs.add(replace(job, id="after the first has ended"))

    with pytest.raises(VersionExists, match="'churn' is being published by another job"), session.begin_nested():
        jobs.add(replace(job, id="beside the second"))


def test_key_is_used_once_and_that_is_not_about_a_version(session: Session, jobs: JobRepository) -> None:
    job = replace(JOB, id="two", version=7, kind="tensor", queue="batch", idempotency_key="key")
    jobs.add(job)
    jobs.add(replace(job, id="of another client", client_id="billing"))

    with pytest.raises(IntegrityError), session.begin_nested():
        jobs.add(replace(job, id="again"))


def test_claim_counts_attempts_and_keeps_the_start(jobs: JobRepository) -> None:
    assert jobs.claim("one", now=NOW, lease_until=later(60))
    assert not jobs.claim("one", now=later(59), lease_until=later(120))
    assert jobs.claim("one", now=later(61), lease_until=later(120))

    job = jobs.get("one")
    assert (job.state, job.attempt, job.started_at, job.lease_until) == ("running", 2, NOW, later(120))
    assert job.losses == 1


def test_job_that_pauses_is_neither_taken_nor_postponed(jobs: JobRepository) -> None:
    jobs.change_waiting("one", not_before=later(10))
    assert not jobs.claim("one", now=later(9), lease_until=later(60))
    assert not jobs.postpone("one", later(9), stage="waits")

    assert jobs.claim("one", now=later(10), lease_until=later(60))
    assert (jobs.get("one").not_before, jobs.get("one").losses) == (None, 0)


def test_job_of_a_lost_worker_waits_and_counts_it_once(jobs: JobRepository) -> None:
    jobs.claim("one", now=NOW, lease_until=later(60))
    assert not jobs.postpone("one", later(59), stage="waits")
    assert [jobs.postpone("one", later(61), stage="waits") for _ in range(2)] == [True, True]

    job = jobs.get("one")
    assert (job.state, job.losses, job.stage, job.lease_until) == ("queued", 1, "waits", later(61))


def test_plan_is_known_by_the_attempt_that_made_it(jobs: JobRepository) -> None:
    jobs.claim("one", now=NOW, lease_until=later(60))
    held = jobs.get("one")
    assert not jobs.is_planned(held)

    jobs.change_held(held, chunk_count=3, lease_until=None)
    assert jobs.is_planned(held)
    assert not jobs.is_planned(replace(held, attempt=2))


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


def test_open_jobs_of_a_client_are_counted_without_reading_those_that_ended(
    session: Session, jobs: JobRepository
) -> None:
    asked: list[tuple[str, Any]] = []
    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    assert jobs.count_open_over_rows("checkout") == 0

    (statement, values), *_ = asked
    plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert "client_id=? AND state=?" in str(plan)
