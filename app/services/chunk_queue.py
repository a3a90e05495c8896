"""The chunks of jobs as their workers see them: taken in turn, held by a lease, done once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.db.repositories.job_chunks import ChunkFacts, ChunkState, JobChunkRepository
from app.db.repositories.job_runs import JobRunRepository
from app.db.repositories.jobs import JobFacts, JobRepository, JobState
from app.db.session import Database, Session
from app.errors import GalleyError, JobAbandoned, TooManyErrors
from app.infra.clock import Clock
from app.infra.task_names import QueueName
from app.services.back_off import DISK, MOST_FAULTS, pause_s, stage_of
from app.services.chunk_turns import next_chunk
from app.services.jobs import MOST_ATTEMPTS


@dataclass(frozen=True, kw_only=True)
class HeldChunk:
    """A chunk in the hands of its worker, and the job that it is of."""

    job: JobFacts
    facts: ChunkFacts


@dataclass(frozen=True, kw_only=True)
class ChunkOutcome:
    """What became of a chunk's rows, and the files that say so; no name where there is nothing to say."""

    done: int
    """Good and bad ones."""
    failed: int
    results: str
    errors: str


class ChunkQueue:
    """Hands chunks to workers and takes back what became of them. Share it between threads.

    Clients take turns: the next chunk is of the client with the fewest being worked on, then of the one that was
    served longest ago; its jobs take turns in the same way. A chunk may be claimed by many workers over time, and only
    the one that claimed it last is heard.
    """

    def __init__(self, database: Database, *, lease_s: float, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or Clock()
        self.lease_s = lease_s

    def claim(self, queue: QueueName) -> HeldChunk | None:
        """Take the chunk whose turn it is for `lease_s` seconds; None when there is none to take."""
        while True:
            with self._database.write() as session:
                waiting = JobChunkRepository(session).waiting(queue.value, self._clock.utcnow())
                following = next_chunk(waiting)
                if following is None:
                    return None
                held = self._take(session, *following)
            if held is not None and held.facts.losses < MOST_ATTEMPTS:
                return held
            if held is not None:
                self.fail(held, _abandoned(held.facts))

    def renew(self, held: HeldChunk) -> bool:
        """Keep a chunk for `lease_s` more seconds; False when it was lost: taken by another, or its job has ended."""
        with self._database.write() as session:
            return JobChunkRepository(session).change_held(held.facts, lease_until=self._after(self.lease_s))

    def commit(self, held: HeldChunk, outcome: ChunkOutcome) -> bool:
        """Record what became of a chunk, and the job's end when it was the last; False when it was lost.

        Call it again when no answer came: what is recorded already stays as it is.
        """
        now = self._clock.utcnow()
        values = {"state": ChunkState.DONE, "lease_until": None, "finished_at": now, **vars(outcome)}
        with self._database.write() as session:
            jobs = JobRepository(session)
            # First of all: this locks the job's row, so that of two last chunks the second sees the first.
            is_open = JobRunRepository(session).add_progress(held.job.id, now, done=outcome.done, failed=outcome.failed)
            if not is_open or not JobChunkRepository(session).change_held(held.facts, **values):
                session.rollback()
                return JobChunkRepository(session).is_done(held.facts)
            self._end_if_over(session, jobs.get(held.job.id))
        return True

    def give_back(self, held: HeldChunk, fault: GalleyError) -> bool:
        """Let a chunk wait, because something it needs is away; False when it was lost.

        No other chunk of its job is begun either, for a pause that grows until rows are done again: they would meet the
        same. What many workers meet at once counts once. After MOST_FAULTS pauses, of the job or of this chunk, the
        fault is the job's end.
        """
        if max(held.facts.faults, held.job.faults) >= MOST_FAULTS:
            return self.fail(held, fault)

        with self._database.write() as session:
            # First: the job's row is locked before the chunk's, as everywhere.
            until = self._after(pause_s(held.job.faults))
            JobRunRepository(session).pause(held.job, until=until, stage=stage_of(fault))
            is_held = JobChunkRepository(session).change_held(
                held.facts,
                state=ChunkState.QUEUED,
                faults=held.facts.faults + 1,
                not_before=self._after(pause_s(held.facts.faults)),
                lease_until=None,
            )
            if not is_held:
                # Whose worker was thought lost has no say in whether the job pauses.
                session.rollback()
            return is_held

    def note_short(self, queue: QueueName) -> None:
        """Tell those who poll that the chunks of a queue wait for the disk."""
        with self._database.write() as session:
            JobRunRepository(session).note_waiting(queue.value, DISK)

    def fail(self, held: HeldChunk, error: GalleyError) -> bool:
        """End a chunk's whole job with what went wrong; False when the chunk was lost."""
        with self._database.write() as session:
            # The job's row is locked before the chunk's, as everywhere.
            job = JobRepository(session).lock_unfinished(held.job.id)
            chunks = JobChunkRepository(session)
            if job is None or not chunks.change_held(held.facts, state=ChunkState.DROPPED, lease_until=None):
                return False
            self._end(session, job, state=JobState.FAILED, error={"code": error.code, "detail": error.detail})
        return True

    def count_free(self, queue: QueueName, *, most: int | None = None) -> int:
        """Count the chunks of a queue that could be taken now, up to `most`, which costs less."""
        with self._database.read() as session:
            return JobChunkRepository(session).count_free(queue.value, self._clock.utcnow(), most=most)

    def _take(self, session: Session, job_id: str, number: int) -> HeldChunk | None:
        now = self._clock.utcnow()
        jobs, chunks = JobRepository(session), JobChunkRepository(session)
        # The job's row is locked first, as everywhere; no chunk of an ended job is taken, nor of one that pauses.
        if not JobRunRepository(session).begin(job_id, now):
            return None
        if not chunks.claim(job_id, number, now=now, lease_until=self._after(self.lease_s)):
            return None

        job, facts = jobs.get(job_id), chunks.get(job_id, number)
        return HeldChunk(job=job, facts=replace(facts, place={**job.place, **facts.place}))

    def _after(self, seconds: float) -> datetime:
        return self._clock.utcnow() + timedelta(seconds=seconds)

    def _end_if_over(self, session: Session, job: JobFacts) -> None:
        if _has_too_many_errors(job):
            error = TooManyErrors(job.failed, job.total or 0, job.max_error_share)
            self._end(session, job, state=JobState.FAILED, error={"code": error.code, "detail": error.detail})
        elif not JobChunkRepository(session).has_undone(job.id):
            self._end(session, job, state=JobState.SUCCEEDED, result={})

    def _end(self, session: Session, job: JobFacts, **values: Any) -> None:
        JobRunRepository(session).end(job.id, self._clock.utcnow(), **values)


def _has_too_many_errors(job: JobFacts) -> bool:
    # A quotient is rounded as the share was when it was read; 0.29 * 100 is less than 29.
    return job.total is not None and job.failed / max(1, job.total) > job.max_error_share


def _abandoned(chunk: ChunkFacts) -> JobAbandoned:
    return JobAbandoned(
        f"The job was given up: {chunk.losses} workers were lost with its rows {chunk.first_row} to {chunk.last_row}."
    )
