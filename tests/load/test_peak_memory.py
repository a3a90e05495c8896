"""What a process held for a moment counts, and what it held before does not."""

import os

from tests.load.peak_memory import peak_growth
from tests.load.processes import ProcessFacts

MEGABYTE = 10**6


class Own:
    """This process, as if it were a stack."""

    def facts(self) -> list[ProcessFacts]:
        return [ProcessFacts(pid=os.getpid(), kind="own", cpu_s=0.0, pss_bytes=0)]


def test_growth_is_that_of_a_moment() -> None:
    before = b"x" * 100 * MEGABYTE
    size, growth = peak_growth(Own(), lambda: len(b"x" * 50 * MEGABYTE))

    assert (len(before), size) == (100 * MEGABYTE, 50 * MEGABYTE)
    assert 45 * MEGABYTE < growth["own"] < 70 * MEGABYTE
