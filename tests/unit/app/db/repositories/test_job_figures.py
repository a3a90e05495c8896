"""Counts are of what is in SQL, by state and queue."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.db.repositories.job_figures import JobFigureRepository
from app.db.session import Database
from app.db.tables.jobs import JobChunkRow, JobRow

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job_row(job_id: str, *, state: str, served_ago_s: float | None = None, **values: Any) -> JobRow:
    served_at = None if served_ago_s is None else NOW - timedelta(seconds=served_ago_s)
    return JobRow(
        id=job_id,
        kind="tensor",
        state=state,
        client_id="checkout",
        model_name="tiny",
        version=1,
        parameters={},
        request_id="",
        created_at=NOW - timedelta(hours=1),
        served_at=served_at,
        **values,
    )


def chunk_row(job_id: str, number: int, **values: Any) -> JobChunkRow:
    members = {"queue": "batch", "state": "queued", "first_row": 1, "row_count": 1, "place": {}, **values}
    return JobChunkRow(job_id=job_id, number=number, **members)


def test_jobs_and_open_chunks_are_counted(database: Database) -> None:
    with database.write() as session:
        session.add_all([job_row("a", state="running"), job_row("b", state="running"), job_row("c", state="failed")])
        session.flush()
        session.add_all([chunk_row("a", 0), chunk_row("a", 1, state="running"), chunk_row("b", 0, queue="heavy")])
        session.add_all([chunk_row("a", 2, state="done"), chunk_row("c", 0, state="dropped")])
        session.flush()
        figures = JobFigureRepository(session)

        assert figures.jobs() == {"running": 2, "failed": 1}
        assert figures.open_chunks() == {("batch", "queued"): 1, ("batch", "running"): 1, ("heavy", "queued"): 1}
        assert figures.chunks_of("a") == {"queued": 1, "running": 1, "done": 1}
        assert figures.chunks_of("nothing") == {}


def test_the_job_that_was_served_longest_ago_counts(database: Database) -> None:
    pausing = NOW + timedelta(seconds=1)
    with database.write() as session:
        session.add_all([job_row("a", state="running", served_ago_s=30), job_row("b", state="running", served_ago_s=5)])
        session.add_all([job_row("c", state="running", served_ago_s=99), job_row("d", state="queued")])
        session.flush()
        session.add_all([chunk_row("a", 0), chunk_row("b", 0), chunk_row("c", 0, not_before=pausing)])
        session.add_all([chunk_row("c", 1, state="running"), chunk_row("d", 0, queue="heavy")])
        session.flush()

        since = JobFigureRepository(session).unserved_since(NOW)
    assert {queue: (NOW - at).total_seconds() for queue, at in since.items()} == {"batch": 30.0, "heavy": 3600.0}


def test_input_that_nobody_plans_waits_as_well(database: Database) -> None:
    planning, lost = (NOW + timedelta(seconds=seconds) for seconds in (1, -1))
    with database.write() as session:
        figures = JobFigureRepository(session)
        session.add(job_row("verification", state="queued"))
        session.add(job_row("in work", state="running", queue="batch", lease_until=planning))
        session.add(job_row("planned", state="queued", queue="batch", chunk_count=1))
        session.add(job_row("cancelled", state="cancelled", queue="batch"))
        session.flush()
        assert figures.unserved_since(NOW) == {}

        session.add(job_row("given up", state="running", queue="batch", lease_until=lost))
        session.add(job_row("waiting", state="queued", queue="heavy"))
        session.flush()
        assert set(figures.unserved_since(NOW)) == {"batch", "heavy"}
