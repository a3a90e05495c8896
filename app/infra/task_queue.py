"""Sending Celery tasks by name, in bounded time, from processes that import no task."""

from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError

from app.errors import RedisUnavailable
from app.infra.broker import broker_url, transport_options
from app.infra.redis import redis_errors
from app.infra.task_names import TaskName, queue_of
from app.settings import Settings

# A task that nobody fetched for so long was sent again since.
EXPIRES_S: Final = 24 * 3600


class TaskQueue:
    """Sends tasks over a connection per send: they are rare, and an idle connection would have to be watched.

    Under gevent the sockets are patched, so that a slow Redis holds only the greenlet that sends.
    """

    def __init__(self, settings: Settings) -> None:
        # NOTE: not the process's current application: in a Celery worker that one runs the tasks.
        self._celery = Celery("galley-sender", broker=broker_url(settings.redis_url), set_as_current=False)
        self._celery.conf.update(
            broker_transport_options=transport_options(settings) | _once(settings.redis_timeout_s),
            task_ignore_result=True,
        )

    def send(self, task: TaskName, *args: str) -> None:
        """Queue a task on the queue of its name; it is not sent twice.

        :raises RedisUnavailable: when the broker does not take it within its timeouts.
        """
        try:
            with redis_errors(), self._celery.connection_for_write() as connection:
                self._celery.send_task(
                    task.value,
                    args=args,
                    queue=queue_of(task).value,
                    connection=connection,
                    retry=False,
                    expires=EXPIRES_S,
                )
        except OperationalError as err:
            raise RedisUnavailable("The broker of tasks does not answer; try again shortly.") from err


def _once(timeout_s: float) -> dict[str, Any]:
    """Return the options that let kombu try once to connect: on its own it tries for six seconds, with pauses."""
    return {"max_retries": 0, "interval_start": 0, "interval_step": 0, "connect_retries_timeout": timeout_s}
