"""Jobs over rows to submit, and a broker that remembers what it was sent."""

from typing import Any

from app.errors import RedisUnavailable
from app.infra.task_names import QueueName, TaskName
from app.services.batch_jobs import JobSubmission


class Sent(list[tuple[TaskName, tuple[str, ...]]]):
    """Keeps what was sent; away, it takes nothing."""

    is_away = False

    def __call__(self, task: TaskName, *args: str) -> None:
        if self.is_away:
            raise RedisUnavailable("The broker does not answer.")
        self.append((task, args))


def submission(**values: Any) -> JobSubmission:
    """Return a job of recommendations; `values` are other members of it."""
    members: dict[str, Any] = {
        "kind": "recommendations",
        "client_id": "checkout",
        "model_name": "recommender",
        "version": 1,
        "queue": QueueName.BATCH,
        "input_format": "ndjson",
        "input_bytes": 100,
        **values,
    }
    return JobSubmission(**members)
