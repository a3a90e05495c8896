"""Memory as the kernel counts it."""

import os

from workers.controller.memory import pss_bytes

NO_PID = 2**22 + 1


def test_own_memory_is_plausible() -> None:
    assert 2**20 < pss_bytes(os.getpid()) < 2**34


def test_memory_of_nobody_is_zero() -> None:
    assert pss_bytes(NO_PID) == 0
