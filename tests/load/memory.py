"""Proportional memory (PSS) of every process of the stack: what the machine would get back if it ended."""

from collections.abc import Sequence
from itertools import groupby

from tests.load.processes import ProcessFacts
from tests.load.report import Table

MEBIBYTE = 2**20


def memory_table(facts: Sequence[ProcessFacts], *, moment: str) -> Table:
    """Return one row per kind of process and the sum; `facts` are sorted by kind."""
    rows = []
    for kind, group in groupby(facts, key=lambda fact: fact.kind):
        sizes = [fact.pss_bytes for fact in group]
        rows.append([kind, f"{len(sizes)}", _mebibytes(max(sizes)), _mebibytes(sum(sizes))])
    total = sum(fact.pss_bytes for fact in facts)
    return Table(
        title=f"Memory {moment}",
        columns=["process", "count", "largest, MiB PSS", "together, MiB PSS"],
        rows=[*rows, ["whole stack", f"{len(facts)}", "", _mebibytes(total)]],
        note="From /proc/PID/smaps_rollup. Shared pages are divided by the number of processes that share them.",
    )


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.0f}"
