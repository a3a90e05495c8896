"""The forkserver: a process that has imported torch and does nothing but fork runners.

It ends when the controller does; runners do not.
"""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

# `multiprocessing` passes over modules it cannot import: a runner then imports them itself, and says what is wrong.
PRELOAD = ("workers.controller.tethered", "workers.runner.preload", "workers.runner.process")

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(PRELOAD))


def warm_up() -> None:
    """Start the forkserver, unless it lives, without waiting for it: its imports take seconds on a cold machine."""
    forkserver.ensure_running()
