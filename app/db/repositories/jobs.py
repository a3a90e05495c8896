"""Jobs as plain values, and the moves between their states, each in one statement so that only one of many wins."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Update, and_, bindparam, case, delete, func, or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.session import READS_MUCH
from app.db.tables.jobs import JobRow
from app.errors import JobNotFound, VersionExists
from model_store.model_ref import ModelRef


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
    traceparent: str = ""
    """Hands on the trace of the request that posted it; empty where its caller sent none."""
    attempt: int = 0
    lease_until: datetime | None = None
    """While it runs: whose silence until then means that its worker is lost. While it waits: the same of its task."""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    queue: str = ""
    """Where its chunks wait; empty for kinds that have no rows."""
    input_format: str = ""
    input_bytes: int = 0
    max_error_share: float = 0.0
    """With a larger share of bad rows the job fails."""
    idempotency_key: str | None = None
    fingerprint: str = ""
    """Tells two requests of one idempotency key apart."""
    chunk_count: int | None = None
    """None until the input was cut into chunks."""
    place: dict[str, Any] = field(default_factory=dict)
    """What the places of all its chunks have in common."""
    served_at: datetime | None = None
    progressed_at: datetime | None = None
    """When rows were last counted as done."""
    pace_from: datetime | None = None
    """Since when its speed is measured, and how many rows were done then."""
    pace_done: int = 0
    mark_at: datetime | None = None
    """From when on it is to be measured next, and how many rows were done then."""
    mark_done: int = 0
    purged_at: datetime | None = None
    """When what it wrote was removed, and what it read."""
    losses: int = 0
    """How many workers vanished while they planned it."""
    faults: int = 0
    """How many times in a row something it needs was away; it is not tried again before `not_before` then."""
    not_before: datetime | None = None
    variant: str | None = None
    """What a route chose for it, and the revision of that route."""
    route_revision: int | None = None
    is_ordered: bool = False
    """Whether a chunk may begin only when all before it are done."""


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs are meant; None passes all."""

    client_id: str | None = None
    state: str | None = None
    kinds: tuple[str, ...] | None = None


# Not by way of the ORM, and built once: whoever follows a job asks again and again.
_BY_ID: Final = select(*JobRow.__table__.columns).where(JobRow.__table__.c.id == bindparam("job_id"))
_COLUMNS: Final = tuple(JobRow.__table__.columns.keys())


# Whoever takes a job from a worker that was not heard of in time counts that one as lost.
_LOSSES: Final = JobRow.losses + case((JobRow.state == JobState.RUNNING, 1), else_=0)


class JobRepository:
    """Reads and moves jobs within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, facts: JobFacts) -> None:
        """Add a job.

        :raises VersionExists: when it is to publish a number that another one, not ended yet, is to publish.
        """
        self._session.add(JobRow(**vars(facts)))
        try:
            self._session.flush()
        except IntegrityError as err:
            # Jobs over rows publish nothing: theirs is another clash.
            if facts.queue or facts.version is None:
                raise
            raise VersionExists(facts.model_name, facts.version, why="is being published by another job") from err

    def get(self, job_id: str) -> JobFacts:
        """Return one job.

        :raises JobNotFound: when there is none of that id.
        """
        return read_job(self._session, job_id)

    def page(self, wanted: JobFilter, *, offset: int = 0, limit: int | None = None) -> list[JobFacts]:
        """Return the jobs that pass, the newest first, from `offset` on."""
        query = _filtered(select(JobRow), wanted).order_by(JobRow.created_at.desc(), JobRow.id.desc())
        return [_facts(row) for row in self._session.scalars(query.offset(offset).limit(limit))]

    def count(self, wanted: JobFilter) -> int:
        """Count the jobs that pass."""
        return self._session.scalar(_filtered(select(func.count()).select_from(JobRow), wanted)) or 0

    def unfinished_ids(self) -> frozenset[str]:
        """Return the ids of all jobs that wait or run."""
        return frozenset(self._session.scalars(select(JobRow.id).where(JobRow.state.in_(UNFINISHED))))

    def lost(self, now: datetime) -> list[JobFacts]:
        """Return the jobs whose task or worker was not heard of in time, the oldest first."""
        query = select(JobRow).where(JobRow.state.in_(UNFINISHED), JobRow.lease_until < now)
        return [_facts(row) for row in self._session.scalars(query.order_by(JobRow.created_at))]

    def claim(self, job_id: str, *, now: datetime, lease_until: datetime) -> bool:
        """Take a job that is due, or whose worker is lost; False when it is neither, or was planned already."""
        return self._moves(
            _update_free(job_id, now),
            state=JobState.RUNNING,
            attempt=JobRow.attempt + 1,
            losses=_LOSSES,
            not_before=None,
            lease_until=lease_until,
            started_at=func.coalesce(JobRow.started_at, now),
            stage="",
        )

    def postpone(self, job_id: str, now: datetime, *, stage: str) -> bool:
        """Let a job wait that could be taken, and say why: no task is on its way any more; False as `claim`."""
        return self._moves(
            _update_free(job_id, now), state=JobState.QUEUED, losses=_LOSSES, lease_until=now, stage=stage
        )

    def change_held(self, job: JobFacts, **values: Any) -> bool:
        """Change a running job for the worker that holds this attempt; False when it has lost the job.

        A job that was planned has no lease, and nobody holds it: who planned it, and did not learn that, changes it no
        more.
        """
        statement = _update(job.id).where(JobRow.state == JobState.RUNNING, JobRow.attempt == job.attempt)
        return self._moves(statement.where(JobRow.lease_until.is_not(None)), **values)

    def is_planned(self, job: JobFacts) -> bool:
        """Whether a job was planned, and it was this attempt that did it."""
        query = select(JobRow.id).where(JobRow.id == job.id, JobRow.attempt == job.attempt)
        return self._session.scalar(query.where(JobRow.chunk_count.is_not(None))) is not None

    def change_waiting(self, job_id: str, **values: Any) -> bool:
        """Change a job that waits; False when it does not."""
        return self._moves(_update(job_id).where(JobRow.state == JobState.QUEUED), **values)

    def change_unfinished(self, job_id: str, **values: Any) -> bool:
        """Change a job that waits or runs; False when it has ended, or is gone."""
        return self._moves(_update(job_id).where(JobRow.state.in_(UNFINISHED)), **values)

    def change_ended(self, job_id: str, **values: Any) -> bool:
        """Change a job that has ended; False when it has not, or is gone."""
        return self._moves(_update(job_id).where(JobRow.state.not_in(UNFINISHED)), **values)

    def lock_unfinished(self, job_id: str) -> JobFacts | None:
        """Return a job that nobody else changes before this unit of work ends; None when it has ended, or is gone."""
        query = select(JobRow).where(JobRow.id == job_id, JobRow.state.in_(UNFINISHED)).with_for_update()
        row = self._session.scalar(query.execution_options(populate_existing=True))
        return None if row is None else _facts(row)

    def of_key(self, client_id: str, idempotency_key: str) -> JobFacts | None:
        """Return the job that a client posted with a key, if it is still there."""
        query = select(JobRow).where(JobRow.client_id == client_id, JobRow.idempotency_key == idempotency_key)
        row = self._session.scalar(query)
        return None if row is None else _facts(row)

    def count_open_over_rows(self, client_id: str) -> int:
        """Count the jobs over rows of a client that have not ended."""
        query = select(func.count()).select_from(JobRow).where(JobRow.client_id == client_id, JobRow.queue != "")
        return self._session.scalar(query.where(JobRow.state.in_(UNFINISHED))) or 0

    def open_over_rows(self, ref: ModelRef) -> list[str]:
        """Return the ids of the jobs over rows that need a version and have not ended, the oldest first."""
        of_version = (JobRow.model_name == ref.name, JobRow.version == ref.version)
        query = select(JobRow.id).where(JobRow.state.in_(UNFINISHED), JobRow.queue != "", *of_version)
        return list(self._session.scalars(query.order_by(JobRow.created_at, JobRow.id)))

    def place_of(self, job_id: str) -> dict[str, Any]:
        """Return what the places of a job's chunks have in common; nothing when the job is gone."""
        return self._session.scalar(select(JobRow.place).where(JobRow.id == job_id)) or {}

    def delete_ended(self, job_id: str) -> bool:
        """Delete a job that has ended; False when it has not."""
        statement = delete(JobRow).where(JobRow.id == job_id, JobRow.state.not_in(UNFINISHED))
        # Its chunks go with it, and there may be ten thousand.
        return self._is_one(statement.execution_options(**READS_MUCH))

    def _moves(self, statement: Update, **values: Any) -> bool:
        return self._is_one(statement.values(values).execution_options(synchronize_session=False))

    def _is_one(self, statement: Any) -> bool:
        count: int = self._session.execute(statement).rowcount  # type: ignore[attr-defined]  # of CursorResult
        return count == 1


def read_job(source: Session | Connection, job_id: str) -> JobFacts:
    """Return one job, as it is in a unit of work, or on a connection without one.

    :raises JobNotFound: when there is none of that id.
    """
    row = source.execute(_BY_ID, {"job_id": job_id}).one_or_none()
    if row is None:
        raise JobNotFound(job_id)

    values = dict(zip(_COLUMNS, row, strict=True))
    return JobFacts(**{**values, "state": JobState(values["state"])})


def _update(job_id: str) -> Update:
    return update(JobRow).where(JobRow.id == job_id)


def is_due(now: datetime) -> ColumnElement[bool]:
    """A job that does not pause."""
    return or_(JobRow.not_before.is_(None), JobRow.not_before <= now)


def _update_free(job_id: str, now: datetime) -> Update:
    """Return the change of a job that nobody holds, and that was not planned."""
    is_lost = and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < now)
    is_waiting = and_(JobRow.state == JobState.QUEUED, is_due(now))
    return _update(job_id).where(or_(is_waiting, is_lost), JobRow.chunk_count.is_(None))


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
