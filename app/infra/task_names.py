"""Names of Celery tasks and queues: the web tier sends by name and never imports a task."""

import enum
from typing import Final


class TaskName(enum.StrEnum):
    """Every task, as workers register it."""

    PURGE_REVOCATIONS = "galley.maintenance.purge_revocations"
    SWEEP_STAGING = "galley.maintenance.sweep_staging"
    CHECK_STORE = "galley.maintenance.check_store"
    VERIFY_VERSION = "galley.verification.verify_version"
    PURGE_OUTCOMES = "galley.maintenance.purge_outcomes"
    RESEND_JOBS = "galley.maintenance.resend_jobs"
    PLAN_JOB = "galley.batch.plan_job"
    RUN_CHUNK = "galley.batch.run_chunk"
    PURGE_JOBS = "galley.maintenance.purge_jobs"
    DISPATCH_CHUNKS = "galley.batch.dispatch_chunks"
    RUN_HEAVY_CHUNK = "galley.heavy.run_chunk"
    INFER_HEAVY = "galley.heavy.infer"


class QueueName(enum.StrEnum):
    """Every queue a Celery worker may be told to serve."""

    BATCH = "batch"
    HEAVY = "heavy"
    VERIFICATION = "verification"
    UPKEEP = "upkeep"


CHUNK_QUEUES: Final = (QueueName.BATCH, QueueName.HEAVY)
"""Those in which chunks of jobs wait."""

_QUEUES = {
    TaskName.VERIFY_VERSION: QueueName.VERIFICATION,
    TaskName.PLAN_JOB: QueueName.BATCH,
    TaskName.RUN_CHUNK: QueueName.BATCH,
    # Not behind a verification, which may take minutes.
    TaskName.DISPATCH_CHUNKS: QueueName.BATCH,
    TaskName.RESEND_JOBS: QueueName.BATCH,
    TaskName.RUN_HEAVY_CHUNK: QueueName.HEAVY,
    TaskName.INFER_HEAVY: QueueName.HEAVY,
}


# What somebody follows but does not wait for. A smaller number is served first, whichever queue it is in. A plan is not
# to wait behind tickets: those of a long job never end before it does.
_PRIORITIES = {TaskName.PLAN_JOB: 3, TaskName.RUN_CHUNK: 6, TaskName.RUN_HEAVY_CHUNK: 6}


def queue_of(task: TaskName) -> QueueName:
    """Return the queue whose workers run a task: upkeep, for all that nobody waits for."""
    return _QUEUES.get(task, QueueName.UPKEEP)


def priority_of(task: TaskName) -> int:
    """Return how soon a task is taken, of all that wait in a worker's queues: 0 is first."""
    return _PRIORITIES.get(task, 0)
