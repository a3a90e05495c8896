"""What jobs left is found by index, page by page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.db.repositories.job_remains import EndedJob, JobRemainRepository
from app.db.session import Database
from app.db.tables.jobs import JobChunkRow, JobRow
from tests.factories.query_plans import check_job_indexes

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
LONG_AGO = NOW - timedelta(days=99)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.write() as session:
        yield session


@pytest.fixture
def remains(session: Session) -> JobRemainRepository:
    return JobRemainRepository(session)


def add(session: Session, job_id: str, *, ended_ago_s: float | None = 0.0, **values: Any) -> EndedJob:
    finished_at = None if ended_ago_s is None else NOW - timedelta(seconds=ended_ago_s)
    members = {"queue": "batch", "state": "succeeded", "chunk_count": 1, "attempt": 1, **values}
    facts = {"kind": "tensor", "client_id": "c", "model_name": "m", "version": 1, "parameters": {}, "request_id": ""}
    session.add(JobRow(id=job_id, finished_at=finished_at, created_at=LONG_AGO, **facts, **members))
    session.flush()
    return EndedJob(finished_at or NOW, job_id)


def add_chunk(session: Session, job_id: str, **values: Any) -> None:
    session.add(JobChunkRow(job_id=job_id, number=0, queue="batch", first_row=1, row_count=1, place={}, **values))
    session.flush()


def test_ended_jobs_with_files_come_page_by_page(session: Session, remains: JobRemainRepository) -> None:
    wanted = [add(session, "d", ended_ago_s=9), add(session, "a", ended_ago_s=5), add(session, "b", ended_ago_s=5)]
    wanted.append(add(session, "c", ended_ago_s=1))
    add(session, "purged", ended_ago_s=5, purged_at=NOW)
    add(session, "without-rows", ended_ago_s=5, queue="")
    add(session, "open", ended_ago_s=None, state="running")
    add(session, "too-new", ended_ago_s=0)

    found = [remains.ended(NOW, most=2)]
    while found[-1]:
        found.append(remains.ended(NOW, behind=found[-1][-1], most=2))

    assert found == [wanted[:2], wanted[2:], []]


def test_jobs_with_something_in_vain_are_to_be_swept(session: Session, remains: JobRemainRepository) -> None:
    for job_id in ("even", "retried", "dropped", "untouched"):
        add(session, job_id)
    add(session, "replanned", attempt=2)
    add(session, "unplanned", chunk_count=None)
    add(session, "long-ago", attempt=2, ended_ago_s=3600.0)
    add_chunk(session, "even", state="done", attempt=1)
    add_chunk(session, "retried", state="done", attempt=2)
    add_chunk(session, "dropped", state="dropped", attempt=1)
    add_chunk(session, "untouched", state="dropped", attempt=0)

    found = [job.id for job in remains.swept(NOW - timedelta(seconds=60), LATER)]

    assert found == ["dropped", "replanned", "retried", "unplanned"]
    assert remains.swept(NOW - timedelta(seconds=60), NOW) == []


def test_kept_are_told_from_purged_and_unknown(session: Session, remains: JobRemainRepository) -> None:
    assert not remains.has_any()
    add(session, "purged", purged_at=NOW)
    assert not remains.has_any()
    add(session, "open", ended_ago_s=None, state="queued")

    assert remains.has_any()
    assert remains.kept_among(["open", "purged", "unheard-of"]) == {"open"}


def test_queries_use_the_indexes_of_kept_and_of_new_jobs(session: Session) -> None:
    check_job_indexes(session)
