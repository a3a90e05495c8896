"""Jobs of a client that goes are nobody's, and end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy.orm import Session

from app.db.repositories.job_chunks import ChunkDraft, JobChunkRepository
from app.db.repositories.job_owners import JobOwnerRepository
from app.db.repositories.job_runs import JobRunRepository
from app.db.repositories.jobs import JobRepository, JobState
from tests.factories.database import make_database
from tests.unit.app.db.repositories.test_jobs import JOB, NOW

OWN = replace(JOB, kind="tensor", queue="batch")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        jobs = JobRepository(session)
        jobs.add(replace(OWN, id="open"))
        jobs.add(replace(OWN, id="ended", state=JobState.SUCCEEDED, idempotency_key="a"))
        jobs.add(replace(OWN, id="another's", client_id="other"))
        JobChunkRepository(session).replace("open", "batch", [ChunkDraft(first_row=1, row_count=1, place={})])
        yield session
    database.close()


def test_jobs_of_a_client_that_goes_are_nobodys(session: Session) -> None:
    JobOwnerRepository(session).disown(OWN.client_id, NOW)

    found = {
        job.id: (job.client_id, job.state) for job in map(JobRepository(session).get, ("open", "ended", "another's"))
    }
    assert found == {
        "open": ("", JobState.CANCELLED),
        "ended": ("", JobState.SUCCEEDED),
        "another's": ("other", JobState.QUEUED),
    }


def test_what_was_open_is_worked_on_no_more(session: Session) -> None:
    JobOwnerRepository(session).disown(OWN.client_id, NOW)

    assert JobChunkRepository(session).count_free("batch", NOW) == 0
    assert JobRepository(session).get("open").finished_at == NOW


def test_key_may_be_used_again(session: Session) -> None:
    JobOwnerRepository(session).disown(OWN.client_id, NOW)

    assert JobRepository(session).of_key(OWN.client_id, "a") is None


def test_open_jobs_are_locked_in_the_order_of_their_ids(session: Session) -> None:
    for job_id in ("z", "b", "a"):
        JobRepository(session).add(replace(OWN, id=job_id))

    with mock.patch.object(JobRunRepository, "end", autospec=True) as end:
        JobOwnerRepository(session).disown(OWN.client_id, NOW)

    assert [call.args[1] for call in end.call_args_list] == ["a", "b", "open", "z"]
