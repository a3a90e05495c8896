"""Jobs over rows, from what is posted to the end: their clients' side, and the planning of their input.

What works on the chunks they are cut into is in app.services.chunk_queue.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from app.db.repositories.clients import ClientRepository
from app.db.repositories.job_chunks import ChunkDraft, ChunkFacts, JobChunkRepository
from app.db.repositories.job_remains import JobRemainRepository
from app.db.repositories.job_runs import JobRunRepository
from app.db.repositories.jobs import JobFacts, JobRepository, JobState
from app.db.session import Database, Session
from app.errors import KeyReused, RedisUnavailable, ResultsGone, TooManyJobs
from app.infra.clock import Clock
from app.infra.log_context import current_request_id, current_traceparent
from app.infra.task_names import QueueName, TaskName
from app.services.jobs import SENT_S, Send, new_job_id

logger = logging.getLogger(__name__)

# So many tickets are sent for the chunks of one job: each that finds work sends the next.
FIRST_TICKETS: Final = 4
DEFAULT_MAX_ERROR_SHARE: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class JobSubmission:
    """A job over rows to be. Its input lies among the files of jobs under `id` already.

    `chunks` are given where there is nothing to plan: the job of a single request.
    """

    kind: str
    client_id: str
    model_name: str
    version: int
    queue: QueueName
    input_format: str
    input_bytes: int
    parameters: dict[str, Any] = field(default_factory=dict)
    max_error_share: float = DEFAULT_MAX_ERROR_SHARE
    idempotency_key: str | None = None
    fingerprint: str = ""
    chunks: Sequence[ChunkDraft] = ()
    variant: str | None = None
    """What a route chose, and the revision of that route."""
    route_revision: int | None = None
    is_ordered: bool = False
    """Whether its chunks are done one after the other."""
    token_issued_at: float | None = None
    """When the client got the token by which it posts; None where it posts by none."""
    id: str = field(default_factory=new_job_id)


class BatchJobs:
    """Takes jobs over rows in, plans, cancels and tells of them. Share it between threads or greenlets."""

    def __init__(self, database: Database, send: Send, *, most_open: int, clock: Clock | None = None) -> None:
        self._database = database
        self._send = send
        self._most_open = most_open
        self._clock = clock or Clock()

    def check_may_submit(self, client_id: str) -> None:
        """Refuse a client that has as many open jobs as it may have, before it sends its input.

        :raises TooManyJobs: then.
        """
        with self._database.read() as session:
            self._check_open(session, client_id)

    def has_key(self, client_id: str, idempotency_key: str) -> bool:
        """Whether a client posted a job with a key that is still there."""
        with self._database.read() as session:
            return JobRepository(session).of_key(client_id, idempotency_key) is not None

    def earlier(self, client_id: str, idempotency_key: str, fingerprint: str) -> JobFacts | None:
        """Return the job that a client made by the same request before; None when there is none.

        :raises KeyReused: when the key came with another request.
        """
        with self._database.read() as session:
            return _earlier(session, client_id, idempotency_key, fingerprint)

    def submit(self, submission: JobSubmission) -> tuple[JobFacts, bool]:
        """Record a job and send its first task; return it, and whether it is an earlier one of the same key.

        While the broker is away the job waits: its task is sent later.

        :raises KeyReused: when the key came with another request before.
        :raises TooManyJobs: when the client has as many open jobs as it may have.
        :raises RevokedToken: when the client was deleted while it sent the input.
        """
        with self._database.write() as session:
            # Of two requests of one client that come at once, the second sees what the first did.
            ClientRepository(session).lock(submission.client_id, issued_at=submission.token_issued_at)
            earlier = _earlier(session, submission.client_id, submission.idempotency_key, submission.fingerprint)
            if earlier is not None:
                return earlier, True
            self._check_open(session, submission.client_id)
            job = self._new_job(submission)
            JobRepository(session).add(job)
            JobChunkRepository(session).replace(job.id, job.queue, submission.chunks)
        self._send_first(job)
        return job, False

    def save_plan(self, job: JobFacts, chunks: Sequence[ChunkDraft]) -> bool:
        """Record the chunks of a job that was claimed to plan it, and send tickets; False when it was lost meanwhile.

        From now on its chunks have leases of their own, and the job has none. Call it again when no answer came: what
        is recorded already stays as it is.
        """
        with self._database.write() as session:
            repository = JobChunkRepository(session)
            # First: this locks the job's row, and whoever else plans it.
            if not JobRepository(session).change_held(job, stage="", faults=0, not_before=None):
                return JobRepository(session).is_planned(job)
            # Once, not in each chunk: a table may have names of columns by the thousand.
            place = shared_place(chunks)
            own = (replace(it, place={k: v for k, v in it.place.items() if k not in place}) for it in chunks)
            count = repository.replace(job.id, job.queue, own)
            total = sum(chunk.row_count for chunk in chunks)
            JobRepository(session).change_held(job, chunk_count=count, total=total, place=place, lease_until=None)
        self.send_tickets(QueueName(job.queue), min(count, FIRST_TICKETS))
        return True

    def cancel(self, job_id: str) -> bool:
        """End a job that waits or runs, keeping what is done; False when it has ended already."""
        with self._database.write() as session:
            return JobRunRepository(session).end(job_id, self._clock.utcnow(), state=JobState.CANCELLED)

    def written_until(self, job: JobFacts) -> int:
        """Return the row before which all output ends that can be read now.

        While the job runs, the first that is not done: what was read once stays as it is.

        :raises ResultsGone: when all was removed, even if `job` was read before that.
        :raises JobNotFound: when the job was deleted since.
        """
        # What removes results changes job and chunks at once: apart, a job with results would look like one without.
        with self._database.snapshot() as session:
            chunks = JobChunkRepository(session)
            current = JobRepository(session).get(job.id)
            first_undone = None if current.state.is_final else chunks.first_undone_row(job.id)
            until_row = chunks.row_after_done(job.id) if first_undone is None else first_undone
        if current.purged_at is not None or (current.state is JobState.SUCCEEDED and until_row == 1):
            raise ResultsGone(job.id)

        return until_row

    def written_chunks(
        self, job: JobFacts, *, from_row: int = 1, until_row: int | None = None, most: int | None = None
    ) -> list[ChunkFacts]:
        """Return the first `most` chunks with output from `from_row` on, in the order of their rows.

        `until_row` is what `written_until` said at the begin of a reading; by default it is asked now.

        :raises ResultsGone: when they were removed.
        """
        until_row = self.written_until(job) if until_row is None else until_row
        with self._database.read() as session:
            chunks = JobChunkRepository(session)
            return chunks.written(job.id, from_row=from_row, until_row=until_row, most=most)

    def has_files(self) -> bool:
        """Whether files of any job are kept."""
        with self._database.read() as session:
            return JobRemainRepository(session).has_any()

    def note_purged(self, job_id: str) -> None:
        """Record that a job's files were removed: its row stays, its chunks go."""
        with self._database.write() as session:
            # First: the job's row is locked before its chunks, as everywhere.
            JobRepository(session).change_ended(job_id, purged_at=self._clock.utcnow())
            JobChunkRepository(session).replace(job_id, "", ())

    def send_tickets(self, queue: QueueName, count: int) -> None:
        """Send tickets, each of which lets a worker take one chunk; those that are lost are sent again in time."""
        try:
            for _ in range(count):
                self._send(ticket_of(queue))
        except RedisUnavailable as err:
            logger.warning("tickets wait until the broker is back: %s", err.detail)

    def _new_job(self, submission: JobSubmission) -> JobFacts:
        now = self._clock.utcnow()
        chunks = submission.chunks
        return JobFacts(
            id=submission.id,
            kind=submission.kind,
            state=JobState.QUEUED,
            client_id=submission.client_id,
            model_name=submission.model_name,
            version=submission.version,
            parameters=submission.parameters,
            total=sum(chunk.row_count for chunk in chunks) if chunks else None,
            request_id=current_request_id(),
            traceparent=current_traceparent(),
            lease_until=None if chunks else now + timedelta(seconds=SENT_S),
            created_at=now,
            queue=submission.queue.value,
            input_format=submission.input_format,
            input_bytes=submission.input_bytes,
            max_error_share=submission.max_error_share,
            idempotency_key=submission.idempotency_key,
            fingerprint=submission.fingerprint,
            chunk_count=len(chunks) if chunks else None,
            variant=submission.variant,
            route_revision=submission.route_revision,
            is_ordered=submission.is_ordered,
        )

    def _send_first(self, job: JobFacts) -> None:
        if job.chunk_count is not None:
            self.send_tickets(QueueName(job.queue), min(job.chunk_count, FIRST_TICKETS))
            return
        try:
            self._send(TaskName.PLAN_JOB, job.id)
        except RedisUnavailable as err:
            logger.warning("job %s waits until the broker is back: %s", job.id, err.detail)

    def _check_open(self, session: Session, client_id: str) -> None:
        if JobRepository(session).count_open_over_rows(client_id) >= self._most_open:
            raise TooManyJobs(self._most_open)


def ticket_of(queue: QueueName) -> TaskName:
    """Return the task that lets a worker of a queue take one of its chunks."""
    return TaskName.RUN_HEAVY_CHUNK if queue is QueueName.HEAVY else TaskName.RUN_CHUNK


def shared_place(chunks: Sequence[ChunkDraft]) -> dict[str, Any]:
    """Return the members of the chunks' places that are the same in all."""
    first = chunks[0].place if chunks else {}
    return {name: value for name, value in first.items() if all(_has(chunk.place, name, value) for chunk in chunks)}


def _has(place: dict[str, Any], name: str, value: Any) -> bool:
    return name in place and (place[name] is value or place[name] == value)


def _earlier(session: Session, client_id: str, key: str | None, fingerprint: str) -> JobFacts | None:
    if key is None:
        return None

    earlier = JobRepository(session).of_key(client_id, key)
    if earlier is not None and earlier.fingerprint != fingerprint:
        raise KeyReused(key)
    return earlier
