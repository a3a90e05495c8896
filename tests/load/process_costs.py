"""Who pays: CPU milliseconds by kind of process, the same table for every load."""

import statistics
from collections.abc import Mapping, Sequence

from tests.load.report import Table

# What rounds to nothing is left out.
LEAST_MS = 0.0005

Costs = Mapping[str, float]
"""CPU milliseconds of one request, or event, by kind of process."""


def process_costs_table(ways: Mapping[str, Sequence[Costs]], *, title: str, each: str = "request") -> Table:
    """Return the median of what each kind of process paid, a column for each way."""
    kinds = sorted({kind for runs in ways.values() for run in runs for kind in run})
    costs = {kind: [median_cost(runs, kind) for runs in ways.values()] for kind in kinds}
    return Table(
        title=title,
        columns=[f"CPU ms/{each}", *ways],
        rows=[[kind, *(f"{cost:.3f}" for cost in row)] for kind, row in costs.items() if max(row) >= LEAST_MS],
        note=f"Medians, from /proc/PID/stat; kinds under {LEAST_MS} ms are left out. Upkeep counts too.",
    )


def median_cost(runs: Sequence[Costs], kind: str) -> float:
    """Return what a kind paid, as the median of the runs; it paid nothing in a run where it was not seen."""
    return statistics.median(run.get(kind, 0.0) for run in runs)
