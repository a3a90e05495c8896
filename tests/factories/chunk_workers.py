"""Workers at the chunks of one job, each doing what a die says, on a database and a clock of their own."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from app.db.repositories.job_chunks import ChunkDraft, ChunkFacts
from app.db.repositories.jobs import JobFacts
from app.db.session import Database
from app.errors import JobNotFound, StoreUnreachable
from app.infra.task_names import QueueName
from app.services.batch_jobs import BatchJobs, JobSubmission
from app.services.chunk_queue import ChunkOutcome, ChunkQueue, HeldChunk
from app.services.jobs import JobService
from tests.fakes.clock import FakeClock

WORKERS = 6
ROWS = 10
LEASE_S = 30.0


@dataclass
class Worker:
    """Takes chunks and does with each what a die says, until there is none. Remembers what was accepted."""

    queue: ChunkQueue
    clock: FakeClock
    die: random.Random
    committed: list[ChunkFacts] = field(default_factory=list)
    taken: list[tuple[ChunkFacts, int]] = field(default_factory=list)
    """What it took, and how many rows of the job were done then."""
    failed_rows: int = 0

    def work(self, is_over: Callable[[], bool]) -> None:
        """Work until `is_over`."""
        while not is_over():
            held = self.queue.claim(QueueName.BATCH)
            if held is None:
                # All are held, or pause: their time has come.
                self.clock.advance(LEASE_S)
            else:
                self.taken.append((held.facts, held.job.done))
                self.die.choice((self._commit, self._commit, self._hold_on, self._vanish, self._give_back))(held)

    def _commit(self, held: HeldChunk) -> None:
        failed = self.die.randrange(ROWS)
        name = f"results/{held.facts.number}.{held.facts.attempt}"
        if self.queue.commit(held, ChunkOutcome(done=ROWS, failed=failed, results=name, errors="")):
            self.committed.append(held.facts)
            self.failed_rows += failed

    def _hold_on(self, held: HeldChunk) -> None:
        """Keep it for longer than was allowed: it may be taken meanwhile, as here by the same worker."""
        self.queue.renew(held)
        self.clock.advance(self.die.choice((LEASE_S / 2, LEASE_S * 2)))
        other = self.queue.claim(QueueName.BATCH)
        self._commit(held)
        if other is not None:
            self.taken.append((other.facts, other.job.done))
            self._commit(other)

    def _vanish(self, held: HeldChunk) -> None:
        self.clock.advance(LEASE_S / 2)

    def _give_back(self, held: HeldChunk) -> None:
        self.queue.give_back(held, StoreUnreachable("away"))


@dataclass(frozen=True)
class Site:
    """One database, and a clock that stands still between moves."""

    url: str
    database: Database
    clock: FakeClock

    @property
    def batch(self) -> BatchJobs:
        """What clients call."""
        return self.batch_of(most_open=1000)

    @property
    def jobs(self) -> JobService:
        """The jobs themselves."""
        return JobService(self.database, _send_nothing, clock=self.clock.clock())

    @property
    def queue(self) -> ChunkQueue:
        """What workers call."""
        return ChunkQueue(self.database, lease_s=LEASE_S, clock=self.clock.clock())

    def batch_of(self, *, most_open: int) -> BatchJobs:
        """Return what clients call that may have so many open jobs."""
        return BatchJobs(self.database, _send_nothing, most_open=most_open, clock=self.clock.clock())

    def job(self, job_id: str) -> JobFacts:
        """Return a job as it is."""
        return self.jobs.find(job_id)

    def post(self, chunks: int, **values: Any) -> str:
        """Post a job of so many chunks; `values` are other members of it."""
        drafts = [ChunkDraft(first_row=1 + ROWS * i, row_count=ROWS, place={}) for i in range(chunks)]
        return self.batch.submit(submission(chunks=drafts, max_error_share=1.0, **values))[0].id

    def is_over(self, job_id: str) -> Callable[[], bool]:
        """Return a question: whether a job has ended, or is gone."""

        def ask() -> bool:
            try:
                return self.job(job_id).state.is_final
            except JobNotFound:
                return True

        return ask

    def at_work(
        self, job_id: str, seed: int, meanwhile: Callable[[], object] = lambda: None
    ) -> tuple[list[Worker], object]:
        """Let WORKERS work until a job is over, while somebody else does `meanwhile`; return them, and what that gave.

        Each has connections of its own, as a process of its own would have.
        """
        with ExitStack() as stack, ThreadPoolExecutor(WORKERS + 1) as pool:
            databases = [stack.enter_context(closing(Database(self.url))) for _ in range(WORKERS)]
            queues = [ChunkQueue(database, lease_s=LEASE_S, clock=self.clock.clock()) for database in databases]
            workers = [Worker(queue, self.clock, random.Random(f"{seed}.{i}")) for i, queue in enumerate(queues)]
            waiting = [pool.submit(worker.work, self.is_over(job_id)) for worker in workers]
            done_meanwhile = pool.submit(meanwhile)
            for one in waiting:
                one.result()
            return workers, done_meanwhile.result()

    def chunks(self, job_id: str) -> list[ChunkFacts]:
        """Return the chunks of an ended job whose output counts."""
        return self.batch.written_chunks(self.job(job_id))


def _send_nothing(*_: object) -> None:
    """Workers here need no task."""


def submission(**values: Any) -> JobSubmission:
    """Return a job of the client that the database knows; `values` are other members of it."""
    return JobSubmission(
        kind="tensor",
        client_id="checkout",
        model_name="tiny",
        version=1,
        queue=QueueName.BATCH,
        input_format="ndjson",
        input_bytes=1,
        **values,
    )
