"""The most memory that each process of a stack held at any moment of some work: VmHWM, set back before it."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.load.measure import Measured
from tests.load.processes import ProcessFacts

Result = TypeVar("Result")
# What the kernel takes for "forget the peak so far" (man 5 proc, clear_refs).
FORGET_PEAK = "5"


def peak_growth(stack: Measured, work: Callable[[], Result]) -> tuple[Result, dict[str, int]]:
    """Do the work; return what it gave, and by kind of process how far one grew above what it held before, in bytes.

    A process that was born meanwhile counts from nothing.
    """
    before: dict[int, int] = {}
    for fact in stack.facts():
        if _forget_peak(fact.pid):
            before[fact.pid] = _status_bytes(fact.pid, "VmRSS")
    result = work()
    growth: dict[str, int] = defaultdict(int)
    for fact in stack.facts():
        growth[fact.kind] = max(growth[fact.kind], _grown(fact, before))
    return result, dict(growth)


def _grown(fact: ProcessFacts, before: dict[int, int]) -> int:
    return _status_bytes(fact.pid, "VmHWM") - before.get(fact.pid, 0)


def _forget_peak(pid: int) -> bool:
    try:
        Path(f"/proc/{pid}/clear_refs").write_text(FORGET_PEAK, "ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False  # it ended between the listing and the look
    return True


def _status_bytes(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
