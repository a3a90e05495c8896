"""One attempt at a chunk, from its claim to what is recorded of it, whatever happens."""

import logging
import time
from functools import partial
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded

from app.errors import DeadlineExceeded, DiskFull, GalleyError, JobAbandoned
from app.services.chunk_queue import ChunkOutcome, HeldChunk
from app.services.job_lease import PASSING, UNFORESEEN
from app.services.lease_renewal import LeaseLost, Renewal, renewing
from app.services.recording import recorded
from workers.batch.chunk_work import ChunkWork
from workers.batch.engine import Engine
from workers.batch.metrics import count_chunk, count_lost_chunk
from workers.batch.nice_thread import run_nicely
from workers.batch.overtime import recorded_in_overtime
from workers.bootstrap import WorkerParts

logger = logging.getLogger(__name__)

# How long one chunk may take: it was cut to take seconds.
CHUNK_SOFT_S: Final = 900


class ChunkRun:
    """One attempt at a chunk."""

    def __init__(self, parts: WorkerParts, engine: Engine, held: HeldChunk) -> None:
        self._parts = parts
        self._chunks = parts.chunks
        self._engine = engine
        self._held = held
        self._started = time.monotonic()
        self._outcome: ChunkOutcome | None = None
        self._rows = f"rows {held.facts.first_row} to {held.facts.last_row}"

    def run(self) -> str:
        """Compute the chunk and record what became of it, whatever happens; return that in words.

        :raises UnavailableError: when SQL is away, so that nothing can be recorded.
        """
        try:
            return self._run()
        except LeaseLost:
            return self._lost()
        except SoftTimeLimitExceeded:
            # Wherever it struck. If the chunk's end is recorded, or its job's, nothing comes of it.
            self._fail(self._overtime())
            return "took too long"
        except PASSING as err:
            return self._fail(err) if isinstance(err, DiskFull) else self._wait(err)
        except GalleyError as err:
            return self._fail(err)
        except Exception:
            self._fail(JobAbandoned(UNFORESEEN))
            raise

    def _run(self) -> str:
        chunks, held = self._chunks, self._held
        what = f"{self._rows} of job {held.job.id}"
        with renewing(lambda: chunks.renew(held), every_s=chunks.lease_s / 4, what=what) as renewal:
            work = ChunkWork(self._parts, self._engine, held, renewal)
            self._outcome = run_nicely(
                work.compute,
                on_overtime=lambda: self._give_up(renewal),
                memory_limit=self._parts.settings.job_memory_limit,
            )
            if not self._commit(self._outcome):
                raise LeaseLost
            return self._done(self._outcome)

    def _done(self, outcome: ChunkOutcome) -> str:
        seconds = time.monotonic() - self._started
        count_chunk(self._held.job.kind, rows=outcome.done, failed=outcome.failed, seconds=seconds)
        return f"{self._rows} are done"

    def _commit(self, outcome: ChunkOutcome) -> bool:
        return recorded_in_overtime(partial(self._chunks.commit, self._held, outcome), what="the chunk's end")

    def _give_up(self, renewal: Renewal) -> None:
        # First: whatever becomes of the record, the work is to end.
        renewal.note_loss()
        self._fail(self._overtime())

    def _overtime(self) -> DeadlineExceeded:
        return DeadlineExceeded.said(f"The {self._rows} were not done within {CHUNK_SOFT_S} s.")

    def _lost(self) -> str:
        count_lost_chunk(self._held.job.kind)
        logger.warning("the chunk is another worker's by now, or its job has ended: what was done is left")
        return "lost"

    def _wait(self, fault: GalleyError) -> str:
        if self._outcome is not None:
            # It was done when SQL went away, which is all that can go wrong then. Nobody is to compute it again.
            return self._done(self._outcome) if self._commit(self._outcome) else self._lost()

        logger.warning("the chunk waits: %s", fault.detail)
        is_held = recorded(partial(self._chunks.give_back, self._held, fault), what="that the chunk waits")
        return "waits" if is_held else self._lost()

    def _fail(self, error: GalleyError) -> str:
        if not recorded(partial(self._chunks.fail, self._held, error), what="the job's end"):
            return "lost"

        logger.warning("the job fails at its %s: %s", self._rows, error.detail)
        return "failed"
