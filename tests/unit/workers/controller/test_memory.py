"""Memory as the kernel counts it."""

import os

from workers.controller.memory import NO_FOOTPRINT, Footprint, measure, pss_bytes

NO_PID = 2**22 + 1


def test_own_memory_is_plausible() -> None:
    own = measure(os.getpid())

    assert 2**20 < own.private_bytes < own.share_bytes < 2**34


def test_memory_of_nobody_is_zero() -> None:
    assert measure(NO_PID) == NO_FOOTPRINT
    assert pss_bytes(NO_PID) == 0


def test_what_is_shared_is_divided_anew() -> None:
    alone = Footprint(share_bytes=110, private_bytes=10)

    assert alone.shared_anew(before=2, now=4) == Footprint(share_bytes=60, private_bytes=10)
    assert NO_FOOTPRINT.shared_anew(before=2, now=4) == NO_FOOTPRINT
