"""Jobs: what a client posted is kept in SQL until it has ended; tasks that are lost on the way are sent again."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from structlog.contextvars import get_contextvars

from app.db.repositories.jobs import JobFacts, JobFilter, JobRepository, JobState
from app.db.session import Database
from app.errors import GalleyError, JobAbandoned, JobNotFound, JobRunning, RedisUnavailable, VersionExists
from app.infra.clock import Clock
from app.infra.task_names import TaskName

logger = logging.getLogger(__name__)

Send = Callable[[TaskName, str], None]

# A worker that was not heard of for so long has lost its job; it says so every fourth of it.
LEASE_S: Final = 60.0
# How long a task that was sent may wait for a worker before it counts as lost: first, and after it was sent again.
SENT_S: Final = 60.0
RESENT_S: Final = 600.0
# A job that ends the process of each worker that takes it must not go on for ever.
MOST_ATTEMPTS: Final = 5
LONGEST_STAGE: Final = 64

VERIFICATION: Final = "verification"

TASKS: Final[Mapping[str, TaskName]] = {VERIFICATION: TaskName.VERIFY_VERSION}
"""The task that runs the jobs of a kind."""


def new_job_id() -> str:
    """Return an id that no job has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class JobDraft:
    """A job to be: whose, of which kind, about which model, and what its worker must know besides."""

    kind: str
    client_id: str
    model_name: str
    version: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_job_id)


class JobService:
    """Jobs from their beginning to their end. Share it between threads or greenlets.

    A worker that `claim`ed a job passes what it got to every later call: `attempt` in it fences workers that were
    thought lost, and came back when another had the job.
    """

    def __init__(self, database: Database, send: Send, *, clock: Clock | None = None) -> None:
        self._database = database
        self._send = send
        self._clock = clock or Clock()

    def create(self, draft: JobDraft) -> JobFacts:
        """Record a job, then send its task. While the broker is away it waits; `resend_lost` sends it later.

        :raises VersionExists: when a verification is to take a number that another one, not ended yet, is to take.
        """
        now = self._clock.utcnow()
        job = JobFacts(
            id=draft.id,
            kind=draft.kind,
            state=JobState.QUEUED,
            client_id=draft.client_id,
            model_name=draft.model_name,
            version=draft.version,
            parameters=draft.parameters,
            request_id=str(get_contextvars().get("request_id", "")),
            lease_until=now + timedelta(seconds=SENT_S),
            created_at=now,
        )
        with self._database.write() as session:
            _check_number(JobRepository(session), draft)
            JobRepository(session).add(job)
        self._send_task(job)
        return job

    def find(self, job_id: str, wanted: JobFilter | None = None) -> JobFacts:
        """Return a job, if it is one of those that are wanted.

        :raises JobNotFound: otherwise.
        """
        with self._database.read() as session:
            job = JobRepository(session).get(job_id)
        if wanted is not None and not _passes(job, wanted):
            raise JobNotFound(job_id)

        return job

    def page(self, wanted: JobFilter, *, offset: int = 0, limit: int | None = None) -> list[JobFacts]:
        """Return the jobs that pass, the newest first, from `offset` on."""
        with self._database.read() as session:
            return JobRepository(session).page(wanted, offset=offset, limit=limit)

    def count(self, wanted: JobFilter) -> int:
        """Count the jobs that pass."""
        with self._database.read() as session:
            return JobRepository(session).count(wanted)

    def unfinished_ids(self) -> frozenset[str]:
        """Return the ids of all jobs that wait or run."""
        with self._database.read() as session:
            return JobRepository(session).unfinished_ids()

    def claim(self, job_id: str) -> JobFacts | None:
        """Take a job for LEASE_S seconds; None when it is gone, has ended, or is another worker's."""
        now = self._clock.utcnow()
        with self._database.write() as session:
            jobs = JobRepository(session)
            if not jobs.claim(job_id, now=now, lease_until=now + timedelta(seconds=LEASE_S)):
                return None
            return jobs.get(job_id)

    def renew(self, job: JobFacts) -> bool:
        """Keep a job for LEASE_S more seconds; False when it was lost."""
        return self._change_held(job, lease_until=self._clock.utcnow() + timedelta(seconds=LEASE_S))

    def note_stage(self, job: JobFacts, stage: str) -> bool:
        """Tell those who poll what is being done; False when the job was lost."""
        return self._change_held(job, stage=stage[:LONGEST_STAGE])

    def note_progress(self, job: JobFacts, *, done: int, failed: int, total: int | None) -> bool:
        """Tell those who poll how many rows are done; False when the job was lost."""
        return self._change_held(job, done=done, failed=failed, total=total)

    def succeed(self, job: JobFacts, *, result: dict[str, Any], version: int | None = None) -> bool:
        """End a job well; False when it was lost."""
        return self._end(job, state=JobState.SUCCEEDED, result=result, version=version or job.version)

    def fail(self, job: JobFacts, error: GalleyError) -> bool:
        """End a job with what went wrong; False when it was lost."""
        return self._end(job, state=JobState.FAILED, error={"code": error.code, "detail": error.detail})

    def give_back(self, job: JobFacts, why: str = "") -> bool:
        """Let a job wait again, because what it needs is away; False when it was lost. Those who poll are told why."""
        lost_at = self._clock.utcnow() + timedelta(seconds=RESENT_S)
        return self._change_held(job, state=JobState.QUEUED, stage=why[:LONGEST_STAGE], lease_until=lost_at)

    def delete(self, job_id: str) -> JobFacts:
        """Cancel a job that waits, or forget one that has ended; return what it was.

        :raises JobNotFound: when there is none of that id.
        :raises JobRunning: while a worker has it.
        """
        now = self._clock.utcnow()
        with self._database.write() as session:
            jobs = JobRepository(session)
            job = jobs.get(job_id)
            is_cancelled = jobs.change_waiting(job_id, state=JobState.CANCELLED, finished_at=now, lease_until=None)
            if not is_cancelled and not jobs.delete_ended(job_id):
                raise JobRunning(job_id)
        return job

    def resend_lost(self) -> list[str]:
        """Send the tasks of jobs again whose task or worker is lost; return those jobs' ids.

        A job whose workers were lost MOST_ATTEMPTS times fails instead.

        :raises RedisUnavailable: when the broker takes none.
        """
        now = self._clock.utcnow()
        with self._database.read() as session:
            lost = JobRepository(session).lost(now)
        for job in lost:
            if job.attempt >= MOST_ATTEMPTS and job.state == JobState.RUNNING:
                self.fail(job, JobAbandoned(f"The job was given up: {job.attempt} workers in a row were lost with it."))
            else:
                self._resend(job)
        return [job.id for job in lost]

    def _resend(self, job: JobFacts) -> None:
        self._send(TASKS[job.kind], job.id)
        logger.info("the task of job %s was sent again", job.id)
        lost_at = self._clock.utcnow() + timedelta(seconds=RESENT_S)
        with self._database.write() as session:
            JobRepository(session).change_waiting(job.id, lease_until=lost_at)

    def _send_task(self, job: JobFacts) -> None:
        try:
            self._send(TASKS[job.kind], job.id)
        except RedisUnavailable as err:
            logger.warning("job %s waits until the broker is back: %s", job.id, err.detail)

    def _end(self, job: JobFacts, **values: Any) -> bool:
        return self._change_held(job, finished_at=self._clock.utcnow(), lease_until=None, **values)

    def _change_held(self, job: JobFacts, **values: Any) -> bool:
        with self._database.write() as session:
            return JobRepository(session).change_held(job, **values)


def _passes(job: JobFacts, wanted: JobFilter) -> bool:
    return (
        wanted.client_id in (None, job.client_id)
        and wanted.state in (None, job.state)
        and (wanted.kinds is None or job.kind in wanted.kinds)
    )


def _check_number(jobs: JobRepository, draft: JobDraft) -> None:
    """Tell the later of two publishers at once. Two that PostgreSQL lets pass in one moment meet again in the store."""
    if draft.kind == VERIFICATION and draft.version and jobs.is_awaited(draft.kind, draft.model_name, draft.version):
        raise VersionExists(draft.model_name, draft.version, why="is being published by another job")
