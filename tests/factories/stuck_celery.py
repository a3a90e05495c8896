"""A Celery application whose worker says that it is ready, and then stands still: `--app` of the tests.

Its main thread hears signals, and gets to do nothing about them.
"""

import threading
from typing import Any

from celery import signals

from app.settings import read_settings
from workers.celery_factory import make_celery

app = make_celery(read_settings())


def stand_still() -> None:
    """Hold the worker's main thread for good."""
    while True:
        threading.Event().wait(1.0)


def plan_to_stand_still(sender: Any, **_: Any) -> None:
    """Stand still in the worker's loop, once it has begun."""
    sender.timer.call_after(0.0, stand_still)


signals.worker_ready.connect(plan_to_stand_still)
