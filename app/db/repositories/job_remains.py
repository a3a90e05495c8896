"""What jobs over rows left among their files: whose are kept, whose were kept for long enough, whose need a sweep.

Retention asks each hour, of a table that only grows: all is found by index, and returned page by page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, literal_column, or_, select
from sqlalchemy.orm import Session

from app.db.repositories.job_chunks import ChunkState
from app.db.tables.jobs import JobChunkRow, JobRow

PAGE: Final = 500
"""How many jobs one question is about, at most."""

# Word by word what the partial index says: no bound value lets SQLite take it.
_HAS_ROWS: Final = JobRow.queue != literal_column("''")
_IS_KEPT: Final = and_(_HAS_ROWS, JobRow.purged_at.is_(None))


@dataclass(frozen=True)
class EndedJob:
    """A job that has ended and whose files are kept; they are paged in this order."""

    finished_at: datetime
    id: str


class JobRemainRepository:
    """Reads within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ended(self, before: datetime, *, behind: EndedJob | None = None, most: int = PAGE) -> list[EndedJob]:
        """Return the first `most` jobs that ended before a time, whose files are kept, behind those that were seen."""
        return self._page(JobRow.finished_at < before, behind, most)

    def swept(
        self, since: datetime, before: datetime, *, behind: EndedJob | None = None, most: int = PAGE
    ) -> list[EndedJob]:
        """Return likewise the jobs that ended in that time, and of which something was begun in vain."""
        in_time = and_(JobRow.finished_at >= since, JobRow.finished_at < before)
        return self._page(and_(in_time, or_(_was_replanned(), _had_vain_chunks())), behind, most)

    def kept_among(self, job_ids: Iterable[str]) -> frozenset[str]:
        """Return those of these jobs, PAGE at most, that are on record and whose files are kept."""
        return frozenset(self._session.scalars(select(JobRow.id).where(JobRow.id.in_(tuple(job_ids)), _IS_KEPT)))

    def has_any(self) -> bool:
        """Whether files of any job are kept."""
        return self._session.scalar(select(JobRow.id).where(_IS_KEPT).limit(1)) is not None

    def _page(self, wanted: ColumnElement[bool], behind: EndedJob | None, most: int) -> list[EndedJob]:
        query = select(JobRow.finished_at, JobRow.id).where(_IS_KEPT, wanted)
        if behind is not None:
            is_later = or_(JobRow.finished_at > behind.finished_at, JobRow.id > behind.id)
            query = query.where(JobRow.finished_at >= behind.finished_at, is_later)
        found = self._session.execute(query.order_by(JobRow.finished_at, JobRow.id).limit(most))
        return [EndedJob(finished_at, job_id) for finished_at, job_id in found if finished_at is not None]


def _was_replanned() -> ColumnElement[bool]:
    """Its planning failed at least once."""
    return or_(JobRow.attempt > 1, JobRow.chunk_count.is_(None))


def _had_vain_chunks() -> ColumnElement[bool]:
    """Some chunk was taken in vain at least once."""
    was_dropped = and_(JobChunkRow.state == ChunkState.DROPPED, JobChunkRow.attempt > 0)
    return exists().where(JobChunkRow.job_id == JobRow.id, or_(JobChunkRow.attempt > 1, was_dropped))
