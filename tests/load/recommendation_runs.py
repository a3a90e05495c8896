"""A run of recommendations, and the figures that are read from several."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.load.measure import Observed
from tests.load.own_generator import LoadReport
from tests.load.redis_calls import RedisCalls
from tests.load.report import Table


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a way of asking: what callers saw, who paid, and what Redis was asked."""

    observed: Observed[LoadReport]
    redis: RedisCalls

    @property
    def report(self) -> LoadReport:
        """What callers saw."""
        return self.observed.result

    def cpu_ms(self, kind: str = "") -> float:
        """CPU milliseconds per request of the processes whose kind begins so: of the whole stack by default."""
        used = sum(used for name, used in self.observed.cpu_s.items() if name.startswith(kind))
        return 1000 * used / max(1, self.report.offered)

    @property
    def costs_ms(self) -> dict[str, float]:
        """CPU milliseconds per request by kind of process."""
        return {kind: 1000 * used / max(1, self.report.offered) for kind, used in self.observed.cpu_s.items()}


Runs = Sequence[Run]
Ways = Mapping[str, Runs]


def median(runs: Runs, pick: Callable[[Run], float]) -> float:
    """Return the median of one figure over the runs."""
    return statistics.median(map(pick, runs))


FIGURES: dict[str, Callable[[Runs], str]] = {
    "good/s": lambda runs: f"{median(runs, lambda run: run.report.rate):.0f}",
    "p50 ms": lambda runs: f"{median(runs, lambda run: run.report.good_ms.p50):.1f}",
    "p90 ms": lambda runs: f"{median(runs, lambda run: run.report.good_ms.p90):.1f}",
    "p99 ms": lambda runs: f"{median(runs, lambda run: run.report.good_ms.p99):.1f}",
    "p99.9 ms": lambda runs: f"{median(runs, lambda run: run.report.good_ms.p99_9):.1f}",
    "p99 is": lambda runs: f"{median(runs, _unevenness):.1f}× p50",
    "CPU ms/request": lambda runs: f"{median(runs, Run.cpu_ms):.2f}",
    "generator's": lambda runs: f"{median(runs, _generator_ms):.2f}",
    "hits": lambda runs: f"{median(runs, _hit_share):.1%}",
    "others' CPU": lambda runs: f"{median(runs, lambda run: run.observed.elsewhere.others):.1%}",
    "failed": lambda runs: f"{sum(run.report.offered - run.report.good for run in runs)}",
}


def figures_table(ways: Ways, figures: Iterable[str], *, title: str, note: str) -> Table:
    """Return a row of these figures for each way of asking."""
    named = list(figures)
    rows = [[name, *(FIGURES[figure](runs) for figure in named)] for name, runs in ways.items()]
    return Table(title=title, columns=["", *named], rows=rows, note=note)


def _unevenness(run: Run) -> float:
    return run.report.good_ms.p99 / max(0.001, run.report.good_ms.p50)


def _generator_ms(run: Run) -> float:
    return 1000 * run.report.cpu_s / max(1, run.report.offered)


def _hit_share(run: Run) -> float:
    return run.report.hits / max(1, run.report.good)
