"""The input of a job, cut into chunks that take some seconds each."""

import logging
from functools import partial
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import DeadlineExceeded, DiskFull
from app.infra.log_context import follow_request
from app.services.back_off import DISK
from app.services.job_lease import HeldJob, holding
from app.services.lease_renewal import LeaseLost
from app.services.recording import recorded
from workers.batch.engine import Engine
from workers.batch.input_cut import InputCut
from workers.batch.inputs.reader import ReaderLost
from workers.batch.nice_thread import run_nicely
from workers.batch.overtime import recorded_in_overtime
from workers.bootstrap import WorkerParts

logger = logging.getLogger(__name__)

# How long an input of the largest size may take to be read once, with room to spare.
PLAN_SOFT_S: Final = 1800


def plan_job(parts: WorkerParts, engine: Engine, job_id: str) -> str:
    """Cut a job's input into chunks and send tickets for them; return what became of it.

    It may be sent any number of times: a job that another worker has, that is planned or has ended, is left alone. One
    whose turn has not come waits, as does one that something is away for, and is sent again.

    :raises DatabaseUnavailable: when SQL is away.
    """
    if parts.job_room.is_short():
        # Slices need room, too.
        parts.jobs.postpone(job_id, stage=DISK)
        return "waits for the disk"
    job = parts.jobs.claim_plan(job_id)
    if job is None:
        return "not its turn, another worker's, planned, or ended"

    follow_request(job.request_id, job.traceparent, job=job.id, attempt=job.attempt)
    with holding(parts.jobs, job) as held:
        _plan(parts, engine, held)
    parts.jobs.send_plans()
    return "planned, ended, or waits"


def _plan(parts: WorkerParts, engine: Engine, held: HeldJob) -> None:
    planning = _Planning(parts, engine, held)
    try:
        planning.make()
    except DiskFull as err:
        # There was room when it began. It is not for a job to wait until somebody makes more.
        recorded(partial(parts.jobs.fail, held.facts, err), what="a job's end")
    except ReaderLost as err:
        logger.warning("the process that read the input was lost: %s", err)
        recorded(partial(parts.jobs.give_back_lost, held.facts), what="that a job waits")
    except SoftTimeLimitExceeded:
        # Wherever it struck. Of what has ended by now, or is planned, nothing comes of it.
        planning.give_up()


class _Planning:
    """The plan of one job, from its input to SQL."""

    def __init__(self, parts: WorkerParts, engine: Engine, held: HeldJob) -> None:
        self._parts = parts
        self._held = held
        self._cut = InputCut(parts, engine, held)

    def make(self) -> None:
        """Cut the input, and record its chunks."""
        # A version that was not measured when it was verified is measured now.
        limit = self._parts.settings.job_memory_limit
        self._save(run_nicely(self._cut.cut, on_overtime=self.give_up, memory_limit=limit))

    def give_up(self) -> None:
        """End the job, which took too long to plan."""
        error = DeadlineExceeded.said(f"The input could not be gone through within {PLAN_SOFT_S} s.")
        # First: whatever becomes of the record, the work is to end.
        self._held.let_go()
        recorded(partial(self._parts.jobs.fail, self._held.facts, error), what="a job's end")

    def _save(self, chunks: list[ChunkDraft]) -> None:
        """Record the chunks. Slices of a plan that may have been recorded are left: retention finds those of no use.

        :raises LeaseLost: when the job is another worker's.
        """
        save = partial(self._parts.batch_jobs.save_plan, self._held.facts, chunks)
        if not recorded_in_overtime(save, what="the plan"):
            self._cut.discard_slices()
            raise LeaseLost
        logger.info("the input is cut into %d chunks", len(chunks))
