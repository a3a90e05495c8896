"""How much work of jobs there is and how long it has waited, for those who watch over the whole."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.db.repositories.job_chunks import UNDONE
from app.db.repositories.job_figures import JobFigureRepository
from app.db.repositories.jobs import JobState
from app.db.session import Database
from app.infra.clock import Clock
from app.infra.task_names import CHUNK_QUEUES

# Whoever asks more often gets what was counted last: anybody may ask, and counting reads every open chunk.
FRESH_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was counted. Each state and queue is there, with 0 where there is nothing."""

    jobs: Mapping[str, int]
    """By state."""
    chunks: Mapping[tuple[str, str], int]
    """By queue and state: those that wait or run."""
    unserved_s: Mapping[str, float]
    """By queue: for how long the job that was served longest ago has had work that nobody began."""


class JobFigures:
    """Counts jobs and chunks in SQL. Share it between threads or greenlets.

    :raises DatabaseUnavailable: when SQL does not answer.
    """

    def __init__(self, database: Database, *, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or Clock()
        self._last: tuple[float, Figures] | None = None
        # Who comes while another counts waits for what that one finds.
        self._counting = threading.Lock()

    def read(self) -> Figures:
        """Return the figures, at most FRESH_S seconds old."""
        with self._counting:
            now = self._clock.monotonic()
            if self._last is None or now - self._last[0] > FRESH_S:
                self._last = now, self._count()
            return self._last[1]

    def chunks_of(self, job_id: str) -> dict[str, int]:
        """Count the chunks of a job by state."""
        with self._database.read() as session:
            return JobFigureRepository(session).chunks_of(job_id)

    def _count(self) -> Figures:
        now = self._clock.utcnow()
        with self._database.snapshot() as session:
            repository = JobFigureRepository(session)
            jobs, chunks, since = repository.jobs(), repository.open_chunks(), repository.unserved_since(now)
        waits = {queue: max(0.0, (now - at).total_seconds()) for queue, at in since.items()}
        return Figures(
            jobs={state.value: jobs.get(state.value, 0) for state in JobState},
            chunks={(queue, state): chunks.get((queue, state), 0) for queue in CHUNK_QUEUES for state in UNDONE},
            unserved_s={queue.value: waits.get(queue.value, 0.0) for queue in CHUNK_QUEUES},
        )
