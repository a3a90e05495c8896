"""Jobs over rows: their inputs are planned, and tickets let workers take the chunks whose turn it is."""

from typing import Final

import structlog

from app.errors import UnavailableError
from app.infra.task_names import CHUNK_QUEUES, QueueName, TaskName
from workers.batch.chunk_run import CHUNK_SOFT_S
from workers.batch.planning import PLAN_SOFT_S, plan_job
from workers.batch.running import run_next
from workers.batch.tickets import send_missing
from workers.tasks.base import GalleyTask, galley_task
from workers.tasks.compute import engine_of

logger = structlog.get_logger()

# What goes on when its soft limit has passed is given so long to end, and the process ends after that.
GRACE_S: Final = 60


@galley_task(TaskName.PLAN_JOB, soft_time_limit=PLAN_SOFT_S, time_limit=PLAN_SOFT_S + GRACE_S)
def plan(self: GalleyTask, job_id: str) -> str:
    """Cut a job's input into chunks; return what became of it."""
    return plan_job(self.parts, engine_of(self), job_id)


# A ticket names nothing, so that none is worth keeping: those that are lost are sent again by DISPATCH_CHUNKS.
@galley_task(TaskName.RUN_CHUNK, soft_time_limit=CHUNK_SOFT_S, time_limit=CHUNK_SOFT_S + GRACE_S, autoretry_for=())
def run_chunk(self: GalleyTask) -> str:
    """Run the chunk of the queue `batch` whose turn it is; return what became of it."""
    return _run_chunk(self, QueueName.BATCH)


@galley_task(
    TaskName.RUN_HEAVY_CHUNK, soft_time_limit=CHUNK_SOFT_S, time_limit=CHUNK_SOFT_S + GRACE_S, autoretry_for=()
)
def run_heavy_chunk(self: GalleyTask) -> str:
    """Run the chunk of the queue `heavy` whose turn it is; return what became of it."""
    return _run_chunk(self, QueueName.HEAVY)


@galley_task(TaskName.DISPATCH_CHUNKS, autoretry_for=())
def dispatch_chunks(self: GalleyTask) -> dict[str, int]:
    """Send the tasks of jobs whose turn it is to be planned, and tickets for the chunks of queues where none waits.

    Return how many tickets for each.

    Whatever was lost heals by this: a ticket, the broker's memory, a worker with its chunk.
    """
    self.parts.jobs.send_plans()
    return {queue.value: send_missing(self.parts, queue) for queue in CHUNK_QUEUES}


def _run_chunk(task: GalleyTask, queue: QueueName) -> str:
    try:
        return run_next(task.parts, engine_of(task), queue)
    except UnavailableError as err:
        logger.warning("ticket_void", queue=queue.value, reason=err.detail)
        return "something is away"
