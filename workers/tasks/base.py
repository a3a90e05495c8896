"""The base of all tasks: it hands them their parts, counts how they end, and tries again what an outage stopped."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from celery import Task, shared_task
from prometheus_client import Counter, Histogram

from app.errors import StoreUnreachable, UnavailableError
from app.infra.log_context import begin_log_context
from app.infra.task_names import TaskName
from workers.bootstrap import WorkerParts

Body = TypeVar("Body", bound=Callable[..., Any])

logger = structlog.get_logger()

TASKS = Counter("galley_tasks", "Task runs, by how they ended.", ["task", "result"])
TASK_SECONDS = Histogram("galley_task_seconds", "How long a task ran.", ["task"], buckets=(0.01, 0.1, 1, 10, 60, 600))


class GalleyTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task that finds its process's parts at `self.parts`, and is tried again when SQL, Redis or store is away."""

    autoretry_for = (UnavailableError, StoreUnreachable)
    retry_backoff = 2
    retry_backoff_max = 300
    max_retries = 8

    @property
    def parts(self) -> WorkerParts:
        """Return the parts of the process that runs this task."""
        parts: WorkerParts = self.app.parts
        return parts

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task and measure it. What it tells of its request stands in its last line, too."""
        begin_log_context()
        started = time.monotonic()
        try:
            return super().__call__(*args, **kwargs)
        finally:
            TASK_SECONDS.labels(self.name).observe(time.monotonic() - started)

    def on_success(self, retval: Any, task_id: str, *_: Any) -> None:
        """Count and log a run that ended well, with what it returned."""
        TASKS.labels(self.name, "succeeded").inc()
        logger.info("task_succeeded", task=self.name, task_id=task_id, result=retval)

    def on_retry(self, exc: BaseException, task_id: str, *_: Any) -> None:
        """Count and log a run that will be tried again."""
        TASKS.labels(self.name, "retried").inc()
        logger.warning("task_retried", task=self.name, task_id=task_id, reason=str(exc))

    def on_failure(self, exc: BaseException, task_id: str, *_: Any) -> None:
        """Count and log a run that failed for good, with its traceback."""
        TASKS.labels(self.name, "failed").inc()
        logger.error("task_failed", task=self.name, task_id=task_id, exc_info=exc)


def galley_task(name: TaskName, **options: Any) -> Callable[[Body], Body]:
    """Register a function as the task `name`; its first parameter is the task itself. `options` are Celery's."""
    decorator: Callable[[Body], Body] = shared_task(bind=True, base=GalleyTask, name=name.value, **options)
    return decorator
