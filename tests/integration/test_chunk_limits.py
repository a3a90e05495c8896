"""A chunk that takes so long that its process is ended: it is lost, and taken again, but not for ever."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.db.repositories.job_chunks import ChunkState
from app.db.repositories.jobs import JobState
from app.infra.job_files import INPUT
from app.services.jobs import MOST_ATTEMPTS
from tests.factories.job_stand import JobStand, row_numbers, standing, tensor_rows, working
from tests.factories.waiting import wait_until
from workers.batch.planning import plan_job

pytestmark = pytest.mark.long

HURRIED = "tests.factories.hurried_celery"
ROWS = 4


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[JobStand]:
    with standing(tmp_path) as stand:
        yield stand


@contextmanager
def stuck_input(stand: JobStand, job_id: str) -> Iterator[None]:
    """Have who opens a job's input wait for ever, as on a file server that hangs, without a processor's time."""
    path = Path(stand.parts.settings.jobs_url) / job_id / INPUT
    aside = path.rename(path.with_suffix(".aside"))
    os.mkfifo(path)
    try:
        yield
    finally:
        aside.rename(path)


def planned(stand: JobStand) -> str:
    job_id = stand.post(tensor_rows(ROWS))
    plan_job(stand.parts, stand.engine, job_id)
    return job_id


def losses(stand: JobStand, job_id: str) -> int:
    (chunk,) = stand.chunks(job_id)
    return chunk.losses


def test_chunk_whose_process_is_ended_is_taken_again(stand: JobStand) -> None:
    job_id = planned(stand)
    with stuck_input(stand, job_id), working(stand, pool=1, app=HURRIED) as worker:
        wait_until(lambda: stand.dispatch() or losses(stand, job_id), timeout_s=60)
        assert "Hard time limit" in worker.log()
    with working(stand, pool=1):
        job = stand.wait_for_end(job_id)

    (chunk,) = stand.chunks(job_id)
    assert (job.state, job.error, chunk.state) == (JobState.SUCCEEDED, None, ChunkState.DONE)
    assert 1 <= chunk.losses == chunk.attempt - 1 < MOST_ATTEMPTS
    assert row_numbers(stand.output(job_id)) == [*range(1, ROWS + 1)]


def test_chunk_that_no_process_gets_done_ends_its_job(stand: JobStand) -> None:
    job_id = planned(stand)
    with stuck_input(stand, job_id), working(stand, pool=1, app=HURRIED):
        job = stand.wait_for_end(job_id)

    assert (job.state, job.done) == (JobState.FAILED, 0)
    assert job.error == {
        "code": "job_abandoned",
        "detail": f"The job was given up: {MOST_ATTEMPTS} workers were lost with its rows 1 to {ROWS}.",
    }
    (chunk,) = stand.chunks(job_id)
    assert (chunk.state, chunk.losses) == (ChunkState.DROPPED, MOST_ATTEMPTS)
    assert stand.staged() == []
