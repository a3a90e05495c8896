"""Which open jobs over rows are planned, are being planned, or wait for that."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.repositories.jobs import UNFINISHED, JobState
from app.db.tables.jobs import JobRow


@dataclass(frozen=True, kw_only=True)
class OpenJob:
    """A job over rows that has not ended, as far as its planning goes."""

    id: str
    client_id: str
    state: JobState
    chunk_count: int | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    input_format: str
    input_bytes: int

    def is_being_planned(self, now: datetime) -> bool:
        """Whether a worker that was heard of in time reads its input."""
        is_held = self.lease_until is not None and self.lease_until >= now
        return self.state == JobState.RUNNING and self.chunk_count is None and is_held

    def waits_unsent(self, now: datetime) -> bool:
        """Whether it is to be planned, and no task is on its way."""
        is_unsent = self.lease_until is not None and self.lease_until <= now
        return self.state == JobState.QUEUED and self.chunk_count is None and is_unsent


class JobPlanRepository:
    """Reads within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self) -> None:
        """Let nobody else begin a plan before this unit of work ends."""
        query = select(JobRow.id).where(JobRow.queue != "", JobRow.state.in_(UNFINISHED), JobRow.chunk_count.is_(None))
        # In the same order everywhere: of two that begin at once, the second waits at the first row.
        self._session.scalars(query.order_by(JobRow.id).with_for_update()).all()

    def open(self) -> list[OpenJob]:
        """Return the jobs over rows that have not ended."""
        query = select(
            JobRow.id,
            JobRow.client_id,
            JobRow.state,
            JobRow.chunk_count,
            JobRow.lease_until,
            JobRow.created_at,
            JobRow.started_at,
            JobRow.input_format,
            JobRow.input_bytes,
        ).where(JobRow.queue != "", JobRow.state.in_(UNFINISHED))
        return [OpenJob(**{**row, "state": JobState(row["state"])}) for row in self._session.execute(query).mappings()]
