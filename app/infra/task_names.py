"""Names of Celery tasks and queues: the web tier sends by name and never imports a task."""

import enum


class TaskName(enum.StrEnum):
    """Every task, as workers register it."""

    PURGE_REVOCATIONS = "galley.maintenance.purge_revocations"
    SWEEP_STAGING = "galley.maintenance.sweep_staging"
    CHECK_STORE = "galley.maintenance.check_store"
    VERIFY_VERSION = "galley.verification.verify_version"
    PURGE_OUTCOMES = "galley.maintenance.purge_outcomes"
    RESEND_JOBS = "galley.maintenance.resend_jobs"


class QueueName(enum.StrEnum):
    """Every queue a Celery worker may be told to serve."""

    BATCH = "batch"
    HEAVY = "heavy"
    VERIFICATION = "verification"
    UPKEEP = "upkeep"


_QUEUES = {TaskName.VERIFY_VERSION: QueueName.VERIFICATION}


def queue_of(task: TaskName) -> QueueName:
    """Return the queue whose workers run a task: upkeep, for all that nobody waits for."""
    return _QUEUES.get(task, QueueName.UPKEEP)
