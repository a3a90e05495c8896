"""Jobs: what a client posted is kept in SQL until it has ended; tasks that are lost on the way are sent again."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from app.db.repositories.clients import ClientRepository
from app.db.repositories.job_plans import JobPlanRepository
from app.db.repositories.jobs import JobFacts, JobFilter, JobRepository, JobState, read_job
from app.db.session import Database, Session
from app.errors import GalleyError, JobAbandoned, JobNotFound, JobRunning, RedisUnavailable
from app.infra.clock import Clock
from app.infra.log_context import current_request_id, current_traceparent
from app.infra.task_names import TaskName
from app.services.back_off import ITS_TURN, MOST_FAULTS, WORKER_LOST, pause_s, stage_of
from app.services.plan_turns import PlanTurns

logger = logging.getLogger(__name__)

Send = Callable[..., None]
"""Takes the name of a task, and its arguments as strings."""

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
"""The task that begins the jobs of a kind; all others are over rows, and are planned first."""

JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
"""What `new_job_id` returns."""


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
    token_issued_at: float | None = None
    """When the client got the token by which it posts; None where it posts by none."""
    id: str = field(default_factory=new_job_id)


class JobService:
    """Jobs from their beginning to their end. Share it between threads or greenlets.

    A worker that `claim`ed a job passes what it got to every later call: `attempt` in it fences workers that were
    thought lost, and came back when another had the job.
    """

    def __init__(self, database: Database, send: Send, *, most_plans: int = 1, clock: Clock | None = None) -> None:
        self._database = database
        self._send = send
        self._most_plans = most_plans
        self._clock = clock or Clock()

    def create(self, draft: JobDraft) -> JobFacts:
        """Record a job, then send its task. While the broker is away it waits; `resend_lost` sends it later.

        :raises VersionExists: when a verification is to take a number that another one, not ended yet, is to take.
        :raises RevokedToken: when the client was deleted while it sent what the job is about.
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
            request_id=current_request_id(),
            traceparent=current_traceparent(),
            lease_until=now + timedelta(seconds=SENT_S),
            created_at=now,
        )
        with self._database.write() as session:
            ClientRepository(session).lock(draft.client_id, issued_at=draft.token_issued_at)
            JobRepository(session).add(job)
        self._send_task(job)
        return job

    def find(self, job_id: str, wanted: JobFilter | None = None) -> JobFacts:
        """Return a job, if it is one of those that are wanted.

        :raises JobNotFound: otherwise.
        """
        with self._database.look() as connection:
            job = read_job(connection, job_id)
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
        """Take a job for LEASE_S seconds; None when it is gone, pauses, has ended, is planned, or another's."""
        with self._database.write() as session:
            job = self._claim(session, job_id)
        return self._unless_abandoned(job)

    def claim_plan(self, job_id: str) -> JobFacts | None:
        """Take a job to plan it, if its turn has come; otherwise `send_plans` sends its task again."""
        now = self._clock.utcnow()
        with self._database.write() as session:
            JobPlanRepository(session).lock()
            may_begin = self._turns(session).may_begin(job_id)
            job = self._claim(session, job_id) if may_begin else None
            if not may_begin:
                JobRepository(session).postpone(job_id, now, stage=ITS_TURN)
        return self._unless_abandoned(job)

    def postpone(self, job_id: str, *, stage: str) -> None:
        """Let a job wait that nobody holds, and tell why: `send_plans` sends its task again."""
        with self._database.write() as session:
            JobRepository(session).postpone(job_id, self._clock.utcnow(), stage=stage)

    def send_plans(self) -> list[str]:
        """Return the jobs whose turn it is to be planned, and send their tasks, if the broker is there."""
        with self._database.read() as session:
            due = self._turns(session).due()
        try:
            for job_id in due:
                self._resend(job_id, TaskName.PLAN_JOB)
        except RedisUnavailable as err:
            logger.warning("jobs wait for their plans until the broker is back: %s", err.detail)
        return due

    def renew(self, job: JobFacts) -> bool:
        """Keep a job for LEASE_S more seconds; False when it was lost, or its worker has let it go."""
        return self._change_held(job, lease_until=self._clock.utcnow() + timedelta(seconds=LEASE_S))

    def note_stage(self, job: JobFacts, stage: str) -> bool:
        """Tell those who poll what is being done; False when the job was lost."""
        return self._change_held(job, stage=stage[:LONGEST_STAGE])

    def succeed(self, job: JobFacts, *, result: dict[str, Any], version: int | None = None) -> bool:
        """End a job well; False when it was lost."""
        return self._end(job, state=JobState.SUCCEEDED, result=result, version=version or job.version)

    def fail(self, job: JobFacts, error: GalleyError) -> bool:
        """End a job with what went wrong; False when it was lost."""
        return self._end(job, state=JobState.FAILED, error={"code": error.code, "detail": error.detail})

    def give_back(self, job: JobFacts, fault: GalleyError) -> bool:
        """Let a job wait, because what it needs is away; False when it was lost. Those who poll are told why.

        It is tried again after a pause that grows, MOST_FAULTS times: then the fault is the job's end.
        """
        if job.faults >= MOST_FAULTS:
            return self.fail(job, fault)

        return self._let_wait(job, stage_of(fault), seconds=pause_s(job.faults), faults=job.faults + 1)

    def give_back_lost(self, job: JobFacts) -> bool:
        """Let a job wait whose process was lost, though its worker was not; False when the worker was as well."""
        losses = job.losses + 1
        if losses >= MOST_ATTEMPTS:
            return self.fail(job, _abandoned(losses))

        return self._let_wait(job, WORKER_LOST, seconds=pause_s(job.losses), losses=losses)

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
        with self._database.read() as session:
            lost = JobRepository(session).lost(self._clock.utcnow())
        # Those that wait to be planned are sent in turn: see `send_plans`.
        lost = [job for job in lost if job.state == JobState.RUNNING or not job.queue]
        for job in lost:
            if job.state == JobState.RUNNING and job.losses + 1 >= MOST_ATTEMPTS:
                self.fail(job, _abandoned(job.losses + 1))
            else:
                self._take_back(job)
                # Inputs are planned in turn.
                if not job.queue:
                    self._resend(job.id, TASKS[job.kind])
        return [job.id for job in lost]

    def _claim(self, session: Session, job_id: str) -> JobFacts | None:
        now = self._clock.utcnow()
        jobs = JobRepository(session)
        is_taken = jobs.claim(job_id, now=now, lease_until=now + timedelta(seconds=LEASE_S))
        return jobs.get(job_id) if is_taken else None

    def _unless_abandoned(self, job: JobFacts | None) -> JobFacts | None:
        if job is None or job.losses < MOST_ATTEMPTS:
            return job

        self.fail(job, _abandoned(job.losses))
        return None

    def _take_back(self, job: JobFacts) -> None:
        """Let a job wait that was lost with its worker; one that waits does so already."""
        if job.state == JobState.RUNNING:
            with self._database.write() as session:
                JobRepository(session).postpone(job.id, self._clock.utcnow(), stage=WORKER_LOST)

    def _let_wait(self, job: JobFacts, stage: str, *, seconds: float, **values: Any) -> bool:
        due_at = self._clock.utcnow() + timedelta(seconds=seconds)
        # No task is on its way: it is sent when the job is due.
        waiting = {"state": JobState.QUEUED, "not_before": due_at, "lease_until": due_at}
        return self._change_held(job, stage=stage, **waiting, **values)

    def _turns(self, session: Session) -> PlanTurns:
        jobs = JobPlanRepository(session).open()
        return PlanTurns(jobs, most=self._most_plans, now=self._clock.utcnow())

    def _resend(self, job_id: str, task: TaskName) -> None:
        # Before it is sent: whoever receives it may let the job wait again at once.
        self._note_sent(job_id, RESENT_S)
        try:
            self._send(task, job_id)
        except RedisUnavailable:
            self._note_sent(job_id, 0.0)
            raise
        logger.info("the task of job %s was sent again", job_id)

    def _note_sent(self, job_id: str, lost_after_s: float) -> None:
        lost_at = self._clock.utcnow() + timedelta(seconds=lost_after_s)
        with self._database.write() as session:
            JobRepository(session).change_waiting(job_id, lease_until=lost_at)

    def _send_task(self, job: JobFacts) -> None:
        try:
            self._send(TASKS.get(job.kind, TaskName.PLAN_JOB), job.id)
        except RedisUnavailable as err:
            logger.warning("job %s waits until the broker is back: %s", job.id, err.detail)

    def _end(self, job: JobFacts, **values: Any) -> bool:
        return self._change_held(job, finished_at=self._clock.utcnow(), lease_until=None, **values)

    def _change_held(self, job: JobFacts, **values: Any) -> bool:
        with self._database.write() as session:
            return JobRepository(session).change_held(job, **values)


def _abandoned(losses: int) -> JobAbandoned:
    return JobAbandoned(f"The job was given up: {losses} workers were lost with it.")


def _passes(job: JobFacts, wanted: JobFilter) -> bool:
    return (
        wanted.client_id in (None, job.client_id)
        and wanted.state in (None, job.state)
        and (wanted.kinds is None or job.kind in wanted.kinds)
    )
