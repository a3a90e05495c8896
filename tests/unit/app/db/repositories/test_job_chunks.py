"""Chunks come back as they were cut, and only who holds one changes it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db import session as session_module
from app.db.repositories.job_chunks import ChunkDraft, ChunkState, JobChunkRepository
from app.db.repositories.jobs import JobRepository, JobState
from app.db.tables.jobs import JobChunkRow
from tests.factories.database import make_database
from tests.unit.app.db.repositories.test_jobs import JOB, NOW

LEASE_UNTIL = NOW + timedelta(seconds=30)
LATE = NOW + timedelta(seconds=31)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        JobRepository(session).add(replace(JOB, kind="tensor", queue="batch"))
        yield session
    database.close()


@pytest.fixture
def chunks(session: Session) -> JobChunkRepository:
    chunks = JobChunkRepository(session)
    chunks.replace("one", "batch", (ChunkDraft(first_row=1 + 5 * i, row_count=5, place={"at": i}) for i in range(3)))
    return chunks


def order(session: Session, is_ordered: bool) -> None:
    JobRepository(session).change_unfinished("one", is_ordered=is_ordered)


def looked(chunks: JobChunkRepository, now: datetime = NOW) -> tuple[int | None, int]:
    """Return which chunk of the job is next, and how many are held."""
    (job,) = chunks.waiting("batch", now)
    return job.next_chunk, job.running


def test_many_chunks_come_back_in_order(chunks: JobChunkRepository) -> None:
    drafts = [ChunkDraft(first_row=1 + 5 * i, row_count=5, place={"at": i}) for i in range(1201)]
    assert chunks.replace("one", "batch", iter(drafts)) == 1201

    found = chunks.of_job("one")
    assert [ChunkDraft(first_row=it.first_row, row_count=it.row_count, place=it.place) for it in found] == drafts
    assert [it.number for it in found] == list(range(1201))
    assert found[-1].last_row == 6005


def test_done_chunks_are_found_by_their_rows(chunks: JobChunkRepository) -> None:
    assert (chunks.first_undone_row("one"), chunks.row_after_done("one")) == (1, 1)
    for number in (0, 2):
        chunks.claim("one", number, now=NOW, lease_until=LEASE_UNTIL)
        chunks.change_held(chunks.get("one", number), state=ChunkState.DONE)

    def found(from_row: int, until_row: int, most: int | None = None) -> list[int]:
        return [it.number for it in chunks.written("one", from_row=from_row, until_row=until_row, most=most)]

    assert (chunks.first_undone_row("one"), chunks.row_after_done("one")) == (6, 16)
    assert [found(1, 16), found(1, 6), found(5, 16), found(6, 16), found(16, 99)] == [[0, 2], [0], [0, 2], [2], []]
    assert found(1, 16, most=1) == [0]
    assert (chunks.first_undone_row("none"), chunks.row_after_done("none")) == (None, 1)


def test_claimed_chunk_is_free_again_when_its_lease_ends(chunks: JobChunkRepository) -> None:
    assert chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    assert not chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    assert chunks.count_free("batch", NOW) == 2
    assert chunks.count_free("batch", LATE) == 3
    assert chunks.count_free("batch", LATE, most=2) == 2

    assert chunks.claim("one", 0, now=LATE, lease_until=LATE)
    found = chunks.get("one", 0)
    assert (found.state, found.attempt, found.losses) == (ChunkState.RUNNING, 2, 1)


def test_waiting_jobs_say_which_chunk_is_next(chunks: JobChunkRepository) -> None:
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)

    (job,) = chunks.waiting("batch", NOW)
    assert (job.job_id, job.next_chunk, job.running) == ("one", 1, 1)
    assert chunks.waiting("heavy", NOW) == []

    (job,) = chunks.waiting("batch", LATE)
    assert (job.next_chunk, job.running) == (0, 0)


@pytest.mark.parametrize("is_ordered", [False, True])
@pytest.mark.parametrize("is_held", [False, True])
def test_looking_for_work_costs_the_same_however_many_chunks_there_are(
    session: Session, chunks: JobChunkRepository, is_held: bool, is_ordered: bool
) -> None:
    order(session, is_ordered)
    costs = []
    for count in (100, 10_000):
        chunks.replace("one", "batch", (ChunkDraft(first_row=i, row_count=1, place={}) for i in range(count)))
        done = update(JobChunkRow).where(JobChunkRow.number < count // 2)
        session.execute(done.values(state=ChunkState.DONE))
        if is_held:
            assert chunks.claim("one", count // 2, now=NOW, lease_until=LEASE_UNTIL)
        looks = (lambda: chunks.waiting("batch", NOW), lambda: chunks.count_free("batch", NOW, most=1))
        costs.append([_steps(session, look) for look in looks])

    assert costs[0] == pytest.approx(costs[1], rel=0.1)


def test_of_an_ordered_job_only_the_first_chunk_that_is_not_done_may_be_taken(
    session: Session, chunks: JobChunkRepository
) -> None:
    order(session, True)
    for number in range(3):
        others = [other for other in range(3) if other != number]
        assert (looked(chunks), chunks.count_free("batch", NOW)) == ((number, 0), 1)
        assert not any(chunks.claim("one", other, now=NOW, lease_until=LEASE_UNTIL) for other in others)

        assert chunks.claim("one", number, now=NOW, lease_until=LEASE_UNTIL)
        assert (looked(chunks), chunks.count_free("batch", NOW)) == ((None, 1), 0)
        assert not any(chunks.claim("one", other, now=NOW, lease_until=LEASE_UNTIL) for other in range(3))
        chunks.change_held(chunks.get("one", number), state=ChunkState.DONE)

    assert (looked(chunks), chunks.count_free("batch", NOW)) == ((None, 0), 0)


def test_lost_chunk_of_an_ordered_job_comes_before_those_that_wait(
    session: Session, chunks: JobChunkRepository
) -> None:
    order(session, True)
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)

    assert (looked(chunks, LATE), chunks.count_free("batch", LATE)) == ((0, 0), 1)
    assert not chunks.claim("one", 1, now=LATE, lease_until=LATE)
    assert chunks.claim("one", 0, now=LATE, lease_until=LATE)


def test_chunk_of_an_ordered_job_that_pauses_is_passed_by_none(session: Session, chunks: JobChunkRepository) -> None:
    order(session, True)
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    chunks.change_held(chunks.get("one", 0), state=ChunkState.QUEUED, not_before=LATE, lease_until=None)

    assert (looked(chunks), chunks.count_free("batch", NOW)) == ((None, 0), 0)
    assert not any(chunks.claim("one", number, now=NOW, lease_until=LEASE_UNTIL) for number in range(3))
    assert looked(chunks, LATE) == (0, 0)


def test_job_that_pauses_has_no_chunk_to_take(session: Session, chunks: JobChunkRepository) -> None:
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    JobRepository(session).change_unfinished("one", not_before=LATE + timedelta(seconds=1))

    (job,) = chunks.waiting("batch", NOW)
    assert (job.next_chunk, job.running) == (None, 1)
    # Nor one whose worker was lost.
    assert chunks.waiting("batch", LATE)[0].next_chunk is None
    assert chunks.count_free("batch", LATE) == 0


def test_chunk_is_done_by_the_attempt_that_did_it(chunks: JobChunkRepository) -> None:
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    held = chunks.get("one", 0)
    assert not chunks.is_done(held)

    chunks.change_held(held, state=ChunkState.DONE)
    assert chunks.is_done(held)
    assert not chunks.is_done(replace(held, attempt=2))


def test_job_all_of_whose_chunks_are_held_has_none_to_take(chunks: JobChunkRepository) -> None:
    for number in range(3):
        chunks.claim("one", number, now=NOW, lease_until=LEASE_UNTIL)

    (job,) = chunks.waiting("batch", NOW)
    assert (job.next_chunk, job.running) == (None, 3)


def test_only_the_newest_attempt_changes_a_chunk(chunks: JobChunkRepository) -> None:
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    early = chunks.get("one", 0)
    chunks.claim("one", 0, now=LATE, lease_until=LATE)

    assert not chunks.change_held(early, state=ChunkState.DONE)
    assert chunks.change_held(chunks.get("one", 0), state=ChunkState.DONE)
    assert [chunk.state for chunk in chunks.of_job("one")] == ["done", "queued", "queued"]


def test_dropped_chunks_are_nobodys(chunks: JobChunkRepository) -> None:
    chunks.claim("one", 0, now=NOW, lease_until=LEASE_UNTIL)
    held = chunks.get("one", 0)
    chunks.drop_undone("one")

    assert not chunks.change_held(held, lease_until=LATE)
    assert chunks.count_free("batch", LATE) == 0
    assert not chunks.has_undone("one")


def _steps(session: Session, query: Callable[[], object]) -> int:
    """Count the steps that SQLite's machine makes for a query."""
    connection = session.connection().connection.driver_connection
    assert connection is not None
    steps = itertools.count()
    connection.set_progress_handler(lambda: next(steps) and None, 1)
    query()
    connection.set_progress_handler(None, 0)
    return next(steps)


def test_chunks_go_with_their_job(session: Session, chunks: JobChunkRepository) -> None:
    JobRepository(session).change_waiting("one", state="cancelled")
    assert JobRepository(session).delete_ended("one")

    assert chunks.of_job("one") == []


def test_what_changes_many_chunks_leaves_the_hub_alone(
    session: Session, chunks: JobChunkRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def run(function: Callable[..., object], *args: Any) -> object:
        statements.append(args[0].split(" WHERE")[0])
        return function(*args)

    monkeypatch.setattr(session_module, "off_hub", run)
    chunks.drop_undone("one")
    chunks.replace("one", "batch", ())
    JobRepository(session).change_unfinished("one", state=JobState.CANCELLED)
    assert JobRepository(session).delete_ended("one")

    assert statements == ["UPDATE job_chunks SET state=?, lease_until=?", "DELETE FROM job_chunks", "DELETE FROM jobs"]
