"""What becomes of a client's jobs when it goes."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.repositories.job_runs import JobRunRepository
from app.db.repositories.jobs import UNFINISHED, JobState
from app.db.tables.jobs import JobRow


class JobOwnerRepository:
    """Changes all jobs of one client within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def disown(self, client_id: str, now: datetime) -> None:
        """Cancel the open jobs of a client that goes, and leave all its jobs to admins.

        Another client may be given the same id one day, and must not find them.
        """
        is_own = JobRow.client_id == client_id
        query = select(JobRow.id).where(is_own, JobRow.state.in_(UNFINISHED))
        # In the same order everywhere: who locks them otherwise and meets another waits for ever.
        for job_id in self._session.scalars(query.order_by(JobRow.id)).all():
            JobRunRepository(self._session).end(job_id, now, state=JobState.CANCELLED)
        statement = update(JobRow).where(is_own).values(client_id="", idempotency_key=None)
        self._session.execute(statement.execution_options(synchronize_session=False))
