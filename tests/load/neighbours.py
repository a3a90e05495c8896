"""Callers of recommendations at a constant rate, alone and beside something else: the figures of both."""

import statistics
from collections.abc import Sequence

from tests.load.callers import Callers
from tests.load.measure import Observed
from tests.load.own_generator import Load, LoadReport

RATE = 200
CONNECTIONS = 200
WARM_S = 2.0
COLUMNS = ["good/s", "p50 ms", "p99 ms", "others' CPU", "failed"]
"""What `figures` tells."""

Runs = Sequence[Observed[LoadReport]]


def load_of(seconds: float) -> Load:
    """Return the load, for so many seconds."""
    return Load(connections=CONNECTIONS, seconds=seconds, rate=RATE)


def observed(callers: Callers, seconds: float) -> Observed[LoadReport]:
    """Make the load, which is not counted for a while, and watch the stack."""
    callers.run(load_of(WARM_S))
    return callers.observed(load_of(seconds))


def p99_ratio(alone: Runs, beside: Runs) -> str:
    """Return by how much the p99 grew, as the median over the runs."""
    ratios = [_p99(one) / max(0.001, _p99(other)) for one, other in zip(beside, alone, strict=True)]
    return f"{statistics.median(ratios):.2f}×"


def figures(runs: Runs) -> list[str]:
    """Return a cell for each of COLUMNS: medians, and the sum of what failed."""
    reports = [one.result for one in runs]
    return [
        f"{statistics.median(report.rate for report in reports):.0f}",
        f"{statistics.median(report.good_ms.p50 for report in reports):.1f}",
        f"{statistics.median(map(_p99, runs)):.1f}",
        f"{statistics.median(one.elsewhere.others for one in runs):.1%}",
        f"{sum(report.offered - report.good for report in reports)}",
    ]


def _p99(run: Observed[LoadReport]) -> float:
    return run.result.good_ms.p99
