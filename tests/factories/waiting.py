"""Waiting for a condition instead of sleeping."""

import time
from collections.abc import Callable

STEP_S = 0.01


def wait_until(condition: Callable[[], object], *, timeout_s: float = 10.0) -> None:
    """Return as soon as `condition()` is true.

    :raises TimeoutError: when it is still false after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"The condition did not come true within {timeout_s:g} s.")
        time.sleep(STEP_S)
