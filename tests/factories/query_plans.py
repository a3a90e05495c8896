"""What a database says of how it will answer the queries of a block: by which index, and what it sorts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.db.repositories.job_remains import EndedJob, JobRemainRepository
from app.db.repositories.jobs import JobFilter, JobRepository

_NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


def query_plan(session: Session, ask: Callable[[], object]) -> str:
    """Return the plan of the one query that `ask` makes; PostgreSQL reads a table as a whole only if it has to."""
    asked: list[tuple[str, Any]] = []
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")

    def note(*said: Any) -> None:
        asked.append((said[2], said[3]))

    event.listen(connection, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    ((statement, values),) = asked
    plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}", values)
    return "\n".join(str(row[-1]) for row in plan)


def check_job_indexes(session: Session) -> None:
    """Check that what is asked of jobs again and again is asked of indexes: retention's pages, and the newest jobs."""
    remains, seen = JobRemainRepository(session), EndedJob(_NOW, "x")
    plans = [
        query_plan(session, lambda: remains.ended(_NOW)),
        query_plan(session, lambda: remains.ended(_NOW, behind=seen)),
        query_plan(session, lambda: remains.swept(_NOW, _NOW + timedelta(days=1), behind=seen)),
    ]
    assert all("ix_jobs_kept" in plan for plan in plans), plans

    newest = query_plan(session, lambda: JobRepository(session).page(JobFilter(), limit=20))
    assert "ix_jobs_created" in newest
    assert "TEMP B-TREE" not in newest
    assert "Sort" not in newest
