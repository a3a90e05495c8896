"""Jobs whose chunks are run are begun, counted, paused and ended, each once whoever tries."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.db.repositories.job_chunks import ChunkDraft, ChunkState, JobChunkRepository
from app.db.repositories.job_runs import JobRunRepository
from app.db.repositories.jobs import JobRepository, JobState
from tests.factories.database import make_database
from tests.unit.app.db.repositories.test_jobs import JOB, NOW, later


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        JobRepository(session).add(replace(JOB, kind="tensor", queue="batch", chunk_count=3))
        yield session
    database.close()


@pytest.fixture
def jobs(session: Session) -> JobRepository:
    return JobRepository(session)


@pytest.fixture
def runs(session: Session) -> JobRunRepository:
    return JobRunRepository(session)


def test_job_is_begun_once_and_served_again(jobs: JobRepository, runs: JobRunRepository) -> None:
    assert runs.begin("one", later(1))
    assert runs.begin("one", later(2))
    job = jobs.get("one")
    assert (job.state, job.started_at, job.served_at) == (JobState.RUNNING, later(1), later(2))

    jobs.change_unfinished("one", state=JobState.CANCELLED)
    assert not runs.begin("one", later(3))
    assert not runs.begin("unheard-of", later(3))


def test_job_ends_once_and_its_chunks_with_it(session: Session, jobs: JobRepository, runs: JobRunRepository) -> None:
    chunks = JobChunkRepository(session)
    chunks.replace("one", "batch", [ChunkDraft(first_row=1, row_count=1, place={})])
    assert [runs.end("one", later(wait), state=JobState.CANCELLED) for wait in (1, 2)] == [True, False]

    assert (jobs.get("one").state, jobs.get("one").finished_at) == (JobState.CANCELLED, later(1))
    assert [chunk.state for chunk in chunks.of_job("one")] == [ChunkState.DROPPED]
    assert not runs.end("unheard-of", later(3), state=JobState.CANCELLED)


def test_pause_counts_once_for_all_who_saw_the_same(jobs: JobRepository, runs: JobRunRepository) -> None:
    seen = jobs.get("one")
    assert [runs.pause(seen, until=later(wait), stage="waits") for wait in (5, 9)] == [True, False]
    job = jobs.get("one")
    assert (job.faults, job.not_before, job.stage) == (1, later(5), "waits")

    assert not runs.begin("one", later(4))
    assert runs.begin("one", later(5))
    assert runs.pause(jobs.get("one"), until=later(20), stage="waits")
    assert jobs.get("one").faults == 2


def test_progress_ends_a_pause(jobs: JobRepository, runs: JobRunRepository) -> None:
    runs.begin("one", NOW)
    runs.pause(jobs.get("one"), until=later(60), stage="waits")
    assert runs.add_progress("one", later(1), done=5, failed=0)

    job = jobs.get("one")
    assert (job.faults, job.not_before, job.stage, job.done) == (0, None, "", 5)


def test_jobs_of_a_queue_are_told_once_why_they_wait(jobs: JobRepository, runs: JobRunRepository) -> None:
    jobs.add(replace(JOB, id="heavy", kind="tensor", queue="heavy", chunk_count=1))
    jobs.add(replace(JOB, id="ended", kind="tensor", queue="batch", chunk_count=1, state=JobState.SUCCEEDED))
    jobs.add(replace(JOB, id="not planned", kind="tensor", queue="batch"))

    assert [runs.note_waiting("batch", "waits") for _ in range(2)] == [1, 0]
    assert jobs.get("one").stage == "waits"


def test_speed_is_measured_from_a_mark_that_follows(jobs: JobRepository, runs: JobRunRepository) -> None:
    runs.begin("one", NOW)
    paces = []
    for seconds in (10, 20, 35, 50, 75, 5000, 5010, 5031):
        assert runs.add_progress("one", later(seconds), done=100, failed=1)
        job = jobs.get("one")
        assert job.progressed_at == later(seconds)
        assert job.pace_from is not None
        paces.append(((job.pace_from - NOW).total_seconds(), job.pace_done))

    assert (jobs.get("one").done, jobs.get("one").failed) == (800, 8)
    # Since the start; since the first mark, once that is old; and over the night only until the next mark.
    assert paces == [(0, 0), (0, 0), (0, 0), (10, 100), (10, 100), (50, 400), (50, 400), (5000, 600)]
