"""A Celery application whose worker comes up, says that it is ready, and consumes nothing: `--app` of the tests.

It does what the fault does: the connection stands, the process is well, and the queues are asked for nothing.
"""

from typing import Any

from celery import signals

from app.settings import read_settings
from workers.celery_factory import make_celery

app = make_celery(read_settings())


def turn_deaf(sender: Any, **_: Any) -> None:
    """Ask the broker for nothing any more."""
    sender.task_consumer.cancel()


signals.worker_ready.connect(turn_deaf)
