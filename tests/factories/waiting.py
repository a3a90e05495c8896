"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable

STEP_S = 0.01
# Far longer than anything takes: a machine may have more to do, or stand still for seconds.
PATIENCE_S = 30.0


def wait_until(
    condition: Callable[[], object], *, timeout_s: float = PATIENCE_S, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Return as soon as `condition()` is true; `sleep=gevent.sleep` lets greenlets run meanwhile.

    :raises TimeoutError: when it is still false after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"The condition did not come true within {timeout_s:g} s.")
        sleep(STEP_S)
