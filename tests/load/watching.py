"""What it costs to be watched: recommendations with metrics and access log, and without, on two stacks in turn."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.background import meanwhile
from tests.load.callers import BYPASS, Callers, callers_of
from tests.load.measure import Plan, Progress
from tests.load.own_generator import Load
from tests.load.process_costs import process_costs_table
from tests.load.recommendation_runs import Run
from tests.load.recommendations import BYPASSED, CONCURRENCY, KEPT, warm_run
from tests.load.report import Table
from tests.load.soak_scrapes import ScrapeCaller, scrapes_table
from tests.load.stack import Stack, stack_like

UNWATCHED = {"METRICS": "false", "ACCESS_LOG": "false"}
ON, OFF = "on", "off"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same load on both stacks, one right after the other."""

    watched: Run
    unwatched: Run

    @property
    def cost(self) -> float:
        """Which share of the watched stack's CPU per request the other one does without."""
        return 1 - self.unwatched.cpu_ms() / max(1e-9, self.watched.cpu_ms())


Pairs = Sequence[Pair]


def watching_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Load a stack and its unwatched double in turn, `plan.pairs` times."""
    scraper = ScrapeCaller(stack.url)
    with stack_like(Path(stack.environment["VAR_DIR"]), **UNWATCHED) as double, meanwhile(scraper.work):
        watched, unwatched = callers_of(stack), callers_of(double)
        pairs: dict[str, list[Pair]] = {KEPT: [], BYPASSED: []}
        for number in range(plan.pairs):
            for way, headers in ((KEPT, {}), (BYPASSED, BYPASS)):
                report(f"watching, pair {number + 1} of {plan.pairs}, {way}")
                both = (watched.asking(headers), unwatched.asking(headers))
                pairs[way].append(_pair(*both, plan.seconds, is_watched_first=number % 2 == 0))
    return [_table(pairs, plan), scrapes_table(scraper, "Watching"), _costs_table(pairs)]


def quartiles(pairs: Pairs) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third of what being watched costs."""
    costs = [pair.cost for pair in pairs]
    if len(costs) == 1:
        return costs[0], costs[0], costs[0]

    first, median, third = statistics.quantiles(costs, n=4, method="inclusive")
    return first, median, third


def _pair(watched: Callers, unwatched: Callers, seconds: float, *, is_watched_first: bool) -> Pair:
    # In turn which is first: a machine that slows down, or speeds up, does not favour one of them.
    if is_watched_first:
        return Pair(watched=_run(watched, seconds), unwatched=_run(unwatched, seconds))

    second = _run(unwatched, seconds)
    return Pair(watched=_run(watched, seconds), unwatched=second)


def _run(callers: Callers, seconds: float) -> Run:
    return warm_run(callers, Load(connections=CONCURRENCY, seconds=seconds))


def _table(pairs: Mapping[str, Pairs], plan: Plan) -> Table:
    return Table(
        title="Watching: recommendations with metrics and access log, and without",
        columns=["", "CPU ms/request on", "off", "costs", "quartiles", "good/s on", "off", "failed"],
        rows=[[way, *_figures(made)] for way, made in pairs.items()],
        note=f"Medians of {plan.pairs} pairs of runs of {plan.seconds:g} s each at concurrency {CONCURRENCY}, on two "
        "stacks beside each other, of which one rests: whichever was second is first in the next pair. Off is "
        "`METRICS=false`, which leaves out what is measured of each request, and `ACCESS_LOG=false`; what runners, the "
        "cache, problems and streams count is counted on both. The watched stack is scraped all the time, as in "
        "production; the other one is not. What being watched costs is the share of CPU of all processes of a stack "
        "that is saved without, in each pair; between the quartiles is half of all pairs.",
    )


def _figures(pairs: Pairs) -> list[str]:
    first, median, third = quartiles(pairs)
    sides = [pair.watched for pair in pairs], [pair.unwatched for pair in pairs]
    return [
        *(f"{statistics.median(run.cpu_ms() for run in side):.3f}" for side in sides),
        f"{median:.1%}",
        f"{first:.1%} … {third:.1%}",
        *(f"{statistics.median(run.report.rate for run in side):.0f}" for side in sides),
        f"{sum(run.report.offered - run.report.good for side in sides for run in side)}",
    ]


def _costs_table(pairs: Mapping[str, Pairs]) -> Table:
    ways = {
        f"{way}, {name}": [run.costs_ms for run in side]
        for way, made in pairs.items()
        for name, side in ((ON, [pair.watched for pair in made]), (OFF, [pair.unwatched for pair in made]))
    }
    return process_costs_table(ways, title="Watching: CPU per request, by process")
