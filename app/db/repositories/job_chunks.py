"""Chunks of jobs as plain values, and their moves, each fenced so that only one of many wins."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    SQLColumnExpression,
    Update,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session, aliased

from app.db.repositories.jobs import UNFINISHED, is_due
from app.db.session import READS_MUCH
from app.db.tables.jobs import JobChunkRow, JobRow

# So many rows go to the database in one statement.
_INSERTED_AT_ONCE: Final = 500


class ChunkState(enum.StrEnum):
    """How far a chunk is. One is dropped when its job ends without it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DROPPED = "dropped"


UNDONE: Final = (ChunkState.QUEUED.value, ChunkState.RUNNING.value)


@dataclass(frozen=True, kw_only=True)
class ChunkDraft:
    """A run of rows, as it was cut: its first row, counted from 1, how many there are, and where they lie."""

    first_row: int
    row_count: int
    place: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ChunkFacts:
    """One chunk. `attempt` counts the workers that took it; who holds an earlier one has lost it."""

    job_id: str
    number: int
    queue: str
    state: ChunkState
    first_row: int
    row_count: int
    place: dict[str, Any]
    attempt: int = 0
    losses: int = 0
    faults: int = 0
    not_before: datetime | None = None
    lease_until: datetime | None = None
    done: int = 0
    failed: int = 0
    results: str = ""
    errors: str = ""
    finished_at: datetime | None = None

    @property
    def last_row(self) -> int:
        """The number of its last row."""
        return self.first_row + self.row_count - 1


@dataclass(frozen=True, kw_only=True)
class JobQueued:
    """An open job, the first of its chunks that could be taken now, and how many are being worked on."""

    job_id: str
    client_id: str
    next_chunk: int | None
    running: int
    served_at: datetime | None
    created_at: datetime


class JobChunkRepository:
    """Reads and moves chunks within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace(self, job_id: str, queue: str, drafts: Iterable[ChunkDraft]) -> int:
        """Give a job these chunks in the place of those it had; return how many."""
        self._change_many(delete(JobChunkRow).where(JobChunkRow.job_id == job_id))
        count = 0
        batch: list[dict[str, Any]] = []
        for draft in drafts:
            batch.append(_new_values(job_id, queue, count, draft))
            count += 1
            if len(batch) == _INSERTED_AT_ONCE:
                self._insert(batch)
                batch = []
        self._insert(batch)
        return count

    def get(self, job_id: str, number: int) -> ChunkFacts:
        """Return one chunk, which must be there."""
        query = select(*JobChunkRow.__table__.columns)
        found = self._session.execute(query.where(JobChunkRow.job_id == job_id, JobChunkRow.number == number))
        return _facts(found.mappings().one())

    def of_job(self, job_id: str) -> list[ChunkFacts]:
        """Return all chunks of a job, in the order of its rows."""
        # Values, not rows of the mapper: there may be ten thousand.
        query = select(*JobChunkRow.__table__.columns).where(JobChunkRow.job_id == job_id)
        found = self._session.execute(query.order_by(JobChunkRow.number), execution_options=READS_MUCH)
        return [_facts(values) for values in found.mappings()]

    def written(self, job_id: str, *, from_row: int, until_row: int, most: int | None) -> list[ChunkFacts]:
        """Return the first `most` chunks that are done and have rows from `from_row` up to before `until_row`."""
        is_wanted = and_(JobChunkRow.first_row + JobChunkRow.row_count > from_row, JobChunkRow.first_row < until_row)
        query = select(*JobChunkRow.__table__.columns).where(JobChunkRow.job_id == job_id, is_wanted)
        query = query.where(JobChunkRow.state == ChunkState.DONE).order_by(JobChunkRow.number).limit(most)
        return [_facts(values) for values in self._session.execute(query, execution_options=READS_MUCH).mappings()]

    def first_undone_row(self, job_id: str) -> int | None:
        """Return the row that the first chunk which is not done begins with; None when all are."""
        query = select(JobChunkRow.first_row).where(JobChunkRow.job_id == job_id, JobChunkRow.state != ChunkState.DONE)
        query = query.order_by(JobChunkRow.number).limit(1)
        return self._session.execute(query, execution_options=READS_MUCH).scalar()

    def row_after_done(self, job_id: str) -> int:
        """Return the row after those of the last chunk that is done; the first when none is."""
        query = select(JobChunkRow.first_row + JobChunkRow.row_count)
        query = query.where(JobChunkRow.job_id == job_id, JobChunkRow.state == ChunkState.DONE)
        return self._session.scalar(query.order_by(JobChunkRow.number.desc()).limit(1)) or 1

    def waiting(self, queue: str, now: datetime) -> list[JobQueued]:
        """Return the jobs of a queue that have not ended, and the chunk of each that may be taken now.

        None of one that pauses may be taken; those that are worked on count all the same.
        """
        # One look into the index per job and state: it costs the same however many chunks there are.
        of_job = select(JobChunkRow.number).where(JobChunkRow.job_id == JobRow.id).order_by(JobChunkRow.number).limit(1)
        queued, ordered = (
            of_job.where(it, is_due(now)) for it in (_may_begin(now), and_(_is_next(JobRow.id), _is_free(now)))
        )
        held = select(func.count()).where(JobChunkRow.job_id == JobRow.id, _is_held(now))
        query = select(
            JobRow.id,
            JobRow.client_id,
            JobRow.served_at,
            JobRow.created_at,
            case((JobRow.is_ordered, ordered.scalar_subquery()), else_=queued.scalar_subquery()).label("queued"),
            of_job.where(_is_lost(now), is_due(now)).scalar_subquery().label("lost"),
            held.scalar_subquery().label("running"),
        ).where(JobRow.queue == queue, JobRow.state.in_(UNFINISHED))
        return [_waiting(row) for row in self._session.execute(query)]

    def count_free(self, queue: str, now: datetime, *, most: int | None = None) -> int:
        """Count the chunks that nobody holds, and that may be taken now, up to `most`."""
        is_open = and_(JobRow.queue == queue, JobRow.state.in_(UNFINISHED), is_due(now))
        free = select(JobChunkRow.number).join(JobRow).where(is_open, _is_free(now))
        # Named besides, the states let SQLite find them by its index.
        query = union_all(
            free.where(JobRow.is_ordered.is_(False), JobChunkRow.state.in_(UNDONE)),
            free.where(JobRow.is_ordered, _is_next(JobRow.id)),
        )
        return self._session.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0

    def claim(self, job_id: str, number: int, *, now: datetime, lease_until: datetime) -> bool:
        """Take a chunk that waits, or whose worker is lost; False when it is neither, or not its turn."""
        is_ordered = select(JobRow.is_ordered).where(JobRow.id == job_id).scalar_subquery()
        is_meant = and_(JobChunkRow.job_id == job_id, JobChunkRow.number == number)
        statement = update(JobChunkRow).where(is_meant, _is_free(now), or_(not_(is_ordered), _is_next(literal(job_id))))
        return self._is_one(
            statement.values(
                state=ChunkState.RUNNING,
                attempt=JobChunkRow.attempt + 1,
                losses=JobChunkRow.losses + case((JobChunkRow.state == ChunkState.RUNNING, 1), else_=0),
                lease_until=lease_until,
                not_before=None,
            )
        )

    def change_held(self, chunk: ChunkFacts, **values: Any) -> bool:
        """Change a running chunk for the worker that holds this attempt; False when it has lost the chunk."""
        statement = update(JobChunkRow).where(
            JobChunkRow.job_id == chunk.job_id,
            JobChunkRow.number == chunk.number,
            JobChunkRow.state == ChunkState.RUNNING,
            JobChunkRow.attempt == chunk.attempt,
        )
        return self._is_one(statement.values(**values))

    def is_done(self, chunk: ChunkFacts) -> bool:
        """Whether a chunk is done, and it was this attempt that did it."""
        is_same = and_(JobChunkRow.job_id == chunk.job_id, JobChunkRow.number == chunk.number)
        query = select(JobChunkRow.number).where(is_same, JobChunkRow.attempt == chunk.attempt)
        return self._session.scalar(query.where(JobChunkRow.state == ChunkState.DONE)) is not None

    def has_undone(self, job_id: str) -> bool:
        """Whether a chunk of a job waits or runs."""
        query = select(JobChunkRow.number).where(JobChunkRow.job_id == job_id, JobChunkRow.state.in_(UNDONE))
        return self._session.scalar(query.limit(1)) is not None

    def drop_undone(self, job_id: str) -> None:
        """Drop the chunks of a job that wait or run: whoever works on one learns at the next step that it is lost."""
        statement = update(JobChunkRow).where(JobChunkRow.job_id == job_id, JobChunkRow.state.in_(UNDONE))
        self._change_many(statement.values(state=ChunkState.DROPPED, lease_until=None))

    def _change_many(self, statement: Delete | Update) -> None:
        options = {"synchronize_session": False, **READS_MUCH}
        self._session.execute(statement, execution_options=options)

    def _insert(self, values: Sequence[dict[str, Any]]) -> None:
        if values:
            self._session.execute(insert(JobChunkRow), values)

    def _is_one(self, statement: Any) -> bool:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        count: int = result.rowcount  # type: ignore[attr-defined]  # of CursorResult
        return count == 1


def _may_begin(now: datetime) -> ColumnElement[bool]:
    """A chunk that waits and may be tried now."""
    is_due = or_(JobChunkRow.not_before.is_(None), JobChunkRow.not_before <= now)
    return and_(JobChunkRow.state == ChunkState.QUEUED, is_due)


def _is_lost(now: datetime) -> ColumnElement[bool]:
    """A chunk whose worker was not heard of for too long."""
    return and_(JobChunkRow.state == ChunkState.RUNNING, JobChunkRow.lease_until < now)


def _is_held(now: datetime) -> ColumnElement[bool]:
    return and_(JobChunkRow.state == ChunkState.RUNNING, JobChunkRow.lease_until >= now)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(_may_begin(now), _is_lost(now))


def _is_next(job_id: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """The first chunk that is not done of an ordered job, which is the only one that is ever held.

    So one that runs comes before all that wait. Found by two looks into an index, however many there are.
    """
    other = aliased(JobChunkRow)
    of_job = select(other.number).where(other.job_id == job_id).order_by(other.number).limit(1).correlate(JobRow)
    states = (ChunkState.RUNNING, ChunkState.QUEUED)
    return JobChunkRow.number == func.coalesce(*(of_job.where(other.state == it).scalar_subquery() for it in states))


def _waiting(row: Any) -> JobQueued:
    numbers = [number for number in (row.queued, row.lost) if number is not None]
    return JobQueued(
        job_id=row.id,
        client_id=row.client_id,
        next_chunk=min(numbers, default=None),
        running=row.running,
        served_at=row.served_at,
        created_at=row.created_at,
    )


def _new_values(job_id: str, queue: str, number: int, draft: ChunkDraft) -> dict[str, Any]:
    facts = ChunkFacts(job_id=job_id, number=number, queue=queue, state=ChunkState.QUEUED, **vars(draft))
    return {**vars(facts), "state": facts.state.value}


def _facts(values: Mapping[Any, Any]) -> ChunkFacts:
    return ChunkFacts(**{**values, "state": ChunkState(values["state"])})
