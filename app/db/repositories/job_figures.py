"""How many jobs and chunks there are, by how far they are."""

from datetime import datetime

from sqlalchemy import and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from app.db.repositories.job_chunks import UNDONE, ChunkState
from app.db.repositories.jobs import JobState, is_due
from app.db.session import READS_MUCH
from app.db.tables.jobs import JobChunkRow, JobRow


class JobFigureRepository:
    """Counts within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def jobs(self) -> dict[str, int]:
        """Count all jobs by state."""
        query = select(JobRow.state, func.count()).group_by(JobRow.state)
        return dict(self._session.execute(query, execution_options=READS_MUCH).all())

    def open_chunks(self) -> dict[tuple[str, str], int]:
        """Count the chunks that wait or run, by queue and state."""
        query = select(JobChunkRow.queue, JobChunkRow.state, func.count()).where(JobChunkRow.state.in_(UNDONE))
        rows = self._session.execute(query.group_by(JobChunkRow.queue, JobChunkRow.state), execution_options=READS_MUCH)
        return {(queue, state): count for queue, state, count in rows}

    def unserved_since(self, now: datetime) -> dict[str, datetime]:
        """Return, by queue, since when the job that was served longest ago has had work that may be begun.

        That is a chunk, or the whole input, as long as it has no chunks and nobody plans it; none of a job that pauses.
        """
        may_begin = or_(JobChunkRow.not_before.is_(None), JobChunkRow.not_before <= now)
        served = func.coalesce(JobRow.served_at, JobRow.created_at).label("since")
        chunks = select(JobChunkRow.queue, served).join(JobRow, JobRow.id == JobChunkRow.job_id)
        is_lost = and_(JobRow.state == JobState.RUNNING, JobRow.lease_until < now)
        inputs = select(JobRow.queue, JobRow.created_at.label("since")).where(
            JobRow.queue != "", JobRow.chunk_count.is_(None), is_due(now), or_(JobRow.state == JobState.QUEUED, is_lost)
        )
        unserved = union_all(
            chunks.where(JobChunkRow.state == ChunkState.QUEUED, may_begin, is_due(now)), inputs
        ).subquery()
        query = select(unserved.c.queue, func.min(unserved.c.since)).group_by(unserved.c.queue)
        return dict(self._session.execute(query, execution_options=READS_MUCH).all())

    def chunks_of(self, job_id: str) -> dict[str, int]:
        """Count the chunks of a job by state."""
        query = select(JobChunkRow.state, func.count()).where(JobChunkRow.job_id == job_id)
        return dict(self._session.execute(query.group_by(JobChunkRow.state)).all())
