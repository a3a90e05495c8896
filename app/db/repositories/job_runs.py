"""Jobs while their chunks are run: begun, counted, paused and ended, each in one statement that locks the job's row."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Update, case, func, or_, update
from sqlalchemy.orm import Session

from app.db.repositories.job_chunks import JobChunkRepository
from app.db.repositories.jobs import UNFINISHED, JobFacts, JobState, is_due
from app.db.tables.jobs import JobRow

# A job that stood still over night is as fast as it was in its last minute, not as on the average.
PACE_S: Final = 30.0


class JobRunRepository:
    """Moves jobs within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, job_id: str, now: datetime) -> bool:
        """Note that a chunk of a job is taken; False when it pauses, has ended, or is gone."""
        statement = _update(job_id).where(JobRow.state.in_(UNFINISHED), is_due(now))
        started_at = func.coalesce(JobRow.started_at, now)
        return self._moves(statement, served_at=now, state=JobState.RUNNING, started_at=started_at) == 1

    def add_progress(self, job_id: str, now: datetime, *, done: int, failed: int) -> bool:
        """Count rows of a job that runs as done, `failed` of them bad; False when it has ended, or is gone.

        What it waited for is there again. Its speed is that of the last PACE_S to twice as long: the mark is moved when
        it is older.
        """
        is_old = or_(JobRow.mark_at.is_(None), JobRow.mark_at < now - timedelta(seconds=PACE_S))
        count = self._moves(
            _update(job_id).where(JobRow.state == JobState.RUNNING),
            done=JobRow.done + done,
            failed=JobRow.failed + failed,
            stage="",
            faults=0,
            not_before=None,
            progressed_at=now,
            pace_from=case((is_old, func.coalesce(JobRow.mark_at, JobRow.started_at)), else_=JobRow.pace_from),
            pace_done=case((is_old, JobRow.mark_done), else_=JobRow.pace_done),
            mark_at=case((is_old, now), else_=JobRow.mark_at),
            mark_done=case((is_old, JobRow.done + done), else_=JobRow.mark_done),
        )
        return count == 1

    def pause(self, job: JobFacts, *, until: datetime, stage: str) -> bool:
        """Begin no chunk of a job before that time, and count a fault.

        False when that was done, or rows were counted, since the job was as `job` says: what failed then failed for the
        same reason, or for one that has passed.
        """
        statement = _update(job.id).where(JobRow.state.in_(UNFINISHED), JobRow.faults == job.faults)
        return self._moves(statement, faults=JobRow.faults + 1, not_before=until, stage=stage) == 1

    def end(self, job_id: str, now: datetime, **values: Any) -> bool:
        """End a job and drop its chunks that are not done; False when it has ended already, or is gone."""
        statement = _update(job_id).where(JobRow.state.in_(UNFINISHED))
        is_ended = self._moves(statement, finished_at=now, lease_until=None, stage="", **values) == 1
        if is_ended:
            JobChunkRepository(self._session).drop_undone(job_id)
        return is_ended

    def note_waiting(self, queue: str, stage: str) -> int:
        """Tell why all planned jobs of a queue wait; return of how many that was not told yet."""
        statement = update(JobRow).where(JobRow.queue == queue, JobRow.state.in_(UNFINISHED))
        return self._moves(statement.where(JobRow.chunk_count.is_not(None), JobRow.stage != stage), stage=stage)

    def _moves(self, statement: Update, **values: Any) -> int:
        result = self._session.execute(statement.values(values).execution_options(synchronize_session=False))
        count: int = result.rowcount  # type: ignore[attr-defined]  # of CursorResult
        return count


def _update(job_id: str) -> Update:
    return update(JobRow).where(JobRow.id == job_id)
