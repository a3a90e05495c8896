"""A thread of low priority for one piece of work: on Linux niceness belongs to the thread, and ends with it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from workers.batch.memory_cap import memory_cap

T = TypeVar("T")

# On top of what the whole child has: chunks wait for verifications, too, and both for requests.
NICENESS: Final = 10


def run_nicely(work: Callable[[], T], *, on_overtime: Callable[[], None], memory_limit: int = 0) -> T:
    """Run `work` on a thread of its own, wait for it, and return what it returns.

    Meanwhile the process has at most `memory_limit` bytes (see `memory_cap`). Not yet while the thread is started: one
    that gets no memory then dies without a word, and whoever started it waits for ever.

    When the task's soft time limit ends the wait, `on_overtime` is to let the work end soon: the thread is waited
    for all the same, and if that takes too long, the hard limit ends the process.

    :raises SoftTimeLimitExceeded: then.
    """

    def capped() -> T:
        with memory_cap(memory_limit):
            return work()

    with ThreadPoolExecutor(1, "galley-nice", initializer=_give_way) as pool:
        running = pool.submit(copy_context().run, capped)
        try:
            return running.result()
        except SoftTimeLimitExceeded:
            on_overtime()
            raise


def _give_way() -> None:
    os.nice(NICENESS)
