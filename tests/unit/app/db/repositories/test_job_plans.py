"""Open jobs over rows are known by how far their planning is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.db.repositories.job_plans import JobPlanRepository
from app.db.repositories.jobs import JobRepository, JobState
from tests.factories.database import make_database
from tests.unit.app.db.repositories.test_jobs import JOB, NOW

WAITING = replace(JOB, kind="tensor", queue="batch")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        yield session
    database.close()


def test_open_jobs_over_rows_are_found_with_what_their_turn_needs(session: Session) -> None:
    jobs = JobRepository(session)
    jobs.add(WAITING)
    jobs.add(replace(WAITING, id="held", state=JobState.RUNNING, lease_until=NOW + timedelta(seconds=1)))
    jobs.add(replace(WAITING, id="planned", state=JobState.RUNNING, lease_until=None, chunk_count=3))
    jobs.add(replace(WAITING, id="ended", state=JobState.FAILED, lease_until=None))
    jobs.add(replace(JOB, id="of no rows"))
    plans = JobPlanRepository(session)
    plans.lock()
    found = {job.id: job for job in plans.open()}

    assert found.keys() == {"one", "held", "planned"}
    assert [job.id for job in found.values() if job.waits_unsent(NOW)] == ["one"]
    assert [job.id for job in found.values() if job.is_being_planned(NOW)] == ["held"]
    assert not found["held"].is_being_planned(NOW + timedelta(seconds=2))
    assert not found["one"].waits_unsent(NOW - timedelta(seconds=1))
