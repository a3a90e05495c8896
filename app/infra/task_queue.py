"""Sending Celery tasks by name, in bounded time: whoever sends need not know what they do."""

import time
from typing import Any, Final, Protocol

from celery import Celery
from kombu.exceptions import LimitExceeded, OperationalError

from app.errors import RedisUnavailable
from app.infra.broker import broker_url, transport_options
from app.infra.broker_queues import SENT_AT
from app.infra.redis import redis_errors
from app.infra.task_names import TaskName, priority_of, queue_of
from app.settings import Settings

# A task that nobody fetched for so long was sent again since.
EXPIRES_S: Final = 24 * 3600
# Who sends beyond these waits for one of them, as long as for Redis.
MOST_CONNECTIONS: Final = 4


class Tasks(Protocol):
    """Where tasks are sent."""

    def send(self, task: TaskName, *args: str) -> None:
        """Queue a task."""

    def close(self) -> None:
        """Send nothing any more."""


class TaskQueue:
    """Sends tasks, over connections that it keeps: one per send would take 6 ms of the processor instead of 0.4.

    A connection that broke while it was idle is replaced before it is used. Under gevent the sockets are patched, so
    that a slow Redis holds only the greenlets that send. Make it after fork; `close` it at the end.
    """

    def __init__(self, settings: Settings) -> None:
        # NOTE: not the process's current application: in a Celery worker that one runs the tasks.
        self._celery = Celery("galley-sender", broker=broker_url(settings.state_redis_url), set_as_current=False)
        self._celery.conf.update(
            broker_transport_options=transport_options(settings) | _once(settings.redis_timeout_s),
            task_ignore_result=True,
        )
        self._timeout_s = settings.redis_timeout_s
        # A pool of its own: those of Celery are the process's, and whoever closes one closes it for all.
        self._connections = self._celery.connection_for_write().Pool(MOST_CONNECTIONS)

    def close(self) -> None:
        """Close all connections; nothing is sent any more."""
        self._connections.force_close_all()

    def send(self, task: TaskName, *args: str) -> None:
        """Queue a task on the queue of its name; it is not sent twice.

        :raises RedisUnavailable: when the broker does not take it within its timeouts.
        """
        try:
            with redis_errors(), self._connections.acquire(block=True, timeout=self._timeout_s) as connection:
                self._celery.send_task(
                    task.value,
                    args=args,
                    queue=queue_of(task).value,
                    priority=priority_of(task),
                    connection=connection,
                    retry=False,
                    expires=EXPIRES_S,
                    headers={SENT_AT: time.time()},
                )
        except (OperationalError, LimitExceeded) as err:
            raise RedisUnavailable("The broker of tasks does not answer; try again shortly.") from err


def _once(timeout_s: float) -> dict[str, Any]:
    """Return the options that let kombu try once to connect: on its own it tries for six seconds, with pauses."""
    return {"max_retries": 0, "interval_start": 0, "interval_step": 0, "connect_retries_timeout": timeout_s}
