"""Runs of payments over sockets, and the figures that are read from several."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.load.measure import Observed, observe
from tests.load.redis_calls import redis_calls
from tests.load.report import Table
from tests.load.socket_client import EventSocket
from tests.load.socket_load import Fleet, Pace, fleet
from tests.load.socket_tally import SocketReport
from tests.load.stream_payments import Payers
from tests.load.stream_servers import StreamServer

CONNECTIONS = 50
PAYERS = Payers()
WARM_S = 2.0


@dataclass(frozen=True, kw_only=True)
class StreamRun:
    """One run: what clients saw, who paid, and how often Redis was asked."""

    observed: Observed[SocketReport]
    redis_reads: int

    @property
    def report(self) -> SocketReport:
        """What clients saw."""
        return self.observed.result

    def cpu_ms(self, kind: str = "") -> float:
        """CPU milliseconds per event of the processes whose kind begins so: of the whole server by default."""
        used = sum(used for name, used in self.observed.cpu_s.items() if name.startswith(kind))
        return 1000 * used / max(1, self.report.events)

    @property
    def costs_ms(self) -> dict[str, float]:
        """CPU milliseconds per event by kind of process."""
        return {kind: 1000 * used / max(1, self.report.events) for kind, used in self.observed.cpu_s.items()}


Runs = Sequence[StreamRun]
Ways = Mapping[str, Runs]


def names(run: str, count: int) -> Iterable[str]:
    """Return a name for each socket of a run: other runs have other accounts."""
    return (f"{run}-{number}" for number in range(count))


def stream_run(server: StreamServer, name: str, pace: Pace) -> StreamRun:
    """Connect, drive the sockets for a while that is not counted, then count."""
    with fleet(server.target) as sockets:
        opened = sockets.open(names(name, CONNECTIONS), PAYERS)
        return driven(server, sockets, opened, pace)


def driven(server: StreamServer, sockets: Fleet, opened: Sequence[EventSocket], pace: Pace) -> StreamRun:
    """Drive sockets that are open: for a while that is not counted, then count."""
    sockets.drive(opened, Pace(in_flight=pace.in_flight, seconds=WARM_S))
    before = _reads(server)
    observed = observe(server.processes, lambda: sockets.drive(opened, pace))
    return StreamRun(observed=observed, redis_reads=_reads(server) - before)


def median(runs: Runs, pick: Callable[[StreamRun], float]) -> float:
    """Return the median of one figure over the runs."""
    return statistics.median(map(pick, runs))


FIGURES: dict[str, Callable[[Runs], str]] = {
    "events/s": lambda runs: f"{median(runs, lambda run: run.report.rate):.0f}",
    "p50 ms": lambda runs: f"{median(runs, lambda run: run.report.times.p50):.1f}",
    "p99 ms": lambda runs: f"{median(runs, lambda run: run.report.times.p99):.1f}",
    "p99.9 ms": lambda runs: f"{median(runs, lambda run: run.report.times.p99_9):.1f}",
    "CPU ms/event": lambda runs: f"{median(runs, StreamRun.cpu_ms):.2f}",
    "generator's": lambda runs: f"{median(runs, _generator_ms):.3f}",
    "Redis trips/event": lambda runs: f"{median(runs, lambda run: run.redis_reads / max(1, run.report.events)):.2f}",
    "others' CPU": lambda runs: f"{median(runs, lambda run: run.observed.elsewhere.others):.1%}",
    "sent again": lambda runs: f"{sum(sum(run.report.retried.values()) for run in runs)}",
    "failed": lambda runs: f"{sum(sum(run.report.failed.values()) for run in runs)}",
}


def figures_table(ways: Ways, *, title: str, note: str) -> Table:
    """Return a row of figures for each way."""
    rows = [[name, *(figure(runs) for figure in FIGURES.values())] for name, runs in ways.items()]
    return Table(title=title, columns=["", *FIGURES], rows=rows, note=note + problems_of(ways))


def problems_of(ways: Ways) -> str:
    """Return a sentence on what failed or was sent again, and how often; none if all was well."""
    problems: Counter[str] = Counter()
    for name, runs in ways.items():
        for run in runs:
            for kind in (run.report.failed, run.report.retried):
                problems.update({f"{name}: {problem}": count for problem, count in kind.items()})
    told = ", ".join(f"{problem} ({count})" for problem, count in problems.most_common())
    return f" What failed or was sent again: {told}." if told else ""


def _generator_ms(run: StreamRun) -> float:
    return 1000 * run.report.cpu_s / max(1, run.report.events)


def _reads(server: StreamServer) -> int:
    return redis_calls(server.redis_url).reads if server.redis_url else 0
