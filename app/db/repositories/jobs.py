"""Jobs as plain values, and the moves between their states, each in one statement so that only one of many wins."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Update, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.db.tables.jobs import JobRow
from app.errors import JobNotFound


class JobState(enum.StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


UNFINISHED = (JobState.QUEUED.value, JobState.RUNNING.value)


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """One job. `attempt` counts the workers that took it; who holds an earlier one has lost the job."""

    id: str
    kind: str
    state: JobState
    client_id: str
    model_name: str
    version: int | None
    parameters: dict[str, Any]
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    done: int = 0
    failed: int = 0
    total: int | None = None
    stage: str = ""
    request_id: str = ""
    attempt: int = 0
    lease_until: datetime | None = None
    """While it runs: whose silence until then means that its worker is lost. While it waits: the same of its task."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs are meant; None passes all."""

    client_id: str | None = None
    state: str | None = None
    kinds: tuple[str, ...] | None = None


class JobRepository:
    """Reads and moves jobs within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, facts: JobFacts) -> None:
        """Add a job."""
        self._session.add(JobRow(**vars(facts)))
        self._session.flush()

    def get(self, job_id: str) -> JobFacts:
        """Return one job.

        :raises JobNotFound: when there is none of that id.
        """
        row = self._session.get(JobRow, job_id, populate_existing=True)
        if row is None:
            raise JobNotFound(job_id)

        return _facts(row)

    def page(self, wanted: JobFilter, *, offset: int = 0, limit: int | None = None) -> list[JobFacts]:
        """Return the jobs that pass, the newest first, from `offset` on."""
        query = _filtered(select(JobRow), wanted).order_by(JobRow.created_at.desc(), JobRow.id)
        return [_facts(row) for row in self._session.scalars(query.offset(offset).limit(limit))]

    def count(self, wanted: JobFilter) -> int:
        """Count the jobs that pass."""
        return self._session.scalar(_filtered(select(func.count()).select_from(JobRow), wanted)) or 0

    def unfinished_ids(self) -> frozenset[str]:
        """Return the ids of all jobs that wait or run."""
        return frozenset(self._session.scalars(select(JobRow.id).where(JobRow.state.in_(UNFINISHED))))

    def is_awaited(self, kind: str, model_name: str, version: int) -> bool:
        """Say whether a job of this kind that waits or runs is about this version."""
        is_it = (JobRow.kind == kind, JobRow.model_name == model_name, JobRow.version == version)
        return self._session.scalar(select(exists().where(*is_it, JobRow.state.in_(UNFINISHED)))) or False

    def lost(self, now: datetime) -> list[JobFacts]:
        """Return the jobs whose task or worker was not heard of in time, the oldest first."""
        query = select(JobRow).where(JobRow.state.in_(UNFINISHED), JobRow.lease_until < now)
        return [_facts(row) for row in self._session.scalars(query.order_by(JobRow.created_at))]

    def claim(self, job_id: str, *, now: datetime, lease_until: datetime) -> bool:
        """Take a job that waits, or whose worker is lost; False when it is neither."""
        is_lost = and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < now)
        statement = _update(job_id).where(or_(JobRow.state == JobState.QUEUED, is_lost))
        return self._moves(
            statement,
            state=JobState.RUNNING,
            attempt=JobRow.attempt + 1,
            lease_until=lease_until,
            started_at=func.coalesce(JobRow.started_at, now),
            stage="",
        )

    def change_held(self, job: JobFacts, **values: Any) -> bool:
        """Change a running job for the worker that holds this attempt; False when it has lost the job."""
        statement = _update(job.id).where(JobRow.state == JobState.RUNNING, JobRow.attempt == job.attempt)
        return self._moves(statement, **values)

    def change_waiting(self, job_id: str, **values: Any) -> bool:
        """Change a job that waits; False when it does not."""
        return self._moves(_update(job_id).where(JobRow.state == JobState.QUEUED), **values)

    def delete_ended(self, job_id: str) -> bool:
        """Delete a job that has ended; False when it has not."""
        statement = delete(JobRow).where(JobRow.id == job_id, JobRow.state.not_in(UNFINISHED))
        return self._is_one(statement)

    def _moves(self, statement: Update, **values: Any) -> bool:
        return self._is_one(statement.values(values).execution_options(synchronize_session=False))

    def _is_one(self, statement: Any) -> bool:
        count: int = self._session.execute(statement).rowcount  # type: ignore[attr-defined]  # of CursorResult
        return count == 1


def _update(job_id: str) -> Update:
    return update(JobRow).where(JobRow.id == job_id)


def _filtered(query: Select[Any], wanted: JobFilter) -> Select[Any]:
    if wanted.client_id is not None:
        query = query.where(JobRow.client_id == wanted.client_id)
    if wanted.state is not None:
        query = query.where(JobRow.state == wanted.state)
    if wanted.kinds is not None:
        query = query.where(JobRow.kind.in_(wanted.kinds))
    return query


def _facts(row: JobRow) -> JobFacts:
    values = {column.name: getattr(row, column.name) for column in JobRow.__table__.columns}
    return JobFacts(**{**values, "state": JobState(row.state)})
