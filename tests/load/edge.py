"""Recommendations through nginx with TLS, and without: what the edge leaves of the rate, and what it costs whom.

wrk makes the load both ways, since the project's own generator speaks no TLS.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tests.factories.nginx import Nginx, running_nginx
from tests.load.callers import BYPASS, CLIENTS, Callers, callers_of
from tests.load.http_load import run_wrk
from tests.load.measure import Measurement, Plan, Progress, measured, median_of
from tests.load.process_costs import process_costs_table
from tests.load.processes import ProcessFacts, stack_facts
from tests.load.recommendations import BYPASSED, CONCURRENCY, KEPT, WARM_UP_S
from tests.load.report import Table
from tests.load.stack import Stack, port_of

DIRECT, EDGE = "gunicorn", "nginx, TLS"


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where callers come in, and every process that works for them: the stack's and nginx's."""

    name: str
    url: str
    first_pids: tuple[int, ...]

    def facts(self) -> list[ProcessFacts]:
        """Return all of them, as they are now."""
        return stack_facts(*self.first_pids)


Runs = Mapping[tuple[str, str], Sequence[Measurement]]
"""By way of asking and door; runs of the same number were made one after the other."""


def edge_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Measure both doors in turn, `plan.runs` times."""
    with running_nginx(port_of(stack.url)) as nginx:
        runs = _runs(callers_of(stack), _doors(stack, nginx), plan, report)
    return [_rates_table(runs, plan), _costs_table(runs)]


def share(through: Sequence[Measurement], direct: Sequence[Measurement]) -> float:
    """Return which share of the rate is left, as the median over runs that were made one after the other."""
    return statistics.median(
        one.load.rate / max(0.001, other.load.rate) for one, other in zip(through, direct, strict=True)
    )


def _doors(stack: Stack, nginx: Nginx) -> tuple[Door, Door]:
    return (
        Door(name=DIRECT, url=stack.url, first_pids=(stack.launcher_pid,)),
        Door(name=EDGE, url=nginx.url, first_pids=(stack.launcher_pid, nginx.pid)),
    )


def _runs(callers: Callers, doors: Sequence[Door], plan: Plan, report: Progress) -> Runs:
    asking = {KEPT: callers, BYPASSED: callers.asking(BYPASS)}
    runs: dict[tuple[str, str], list[Measurement]] = {(way, door.name): [] for way in asking for door in doors}
    for run in range(plan.runs):
        for way, those in asking.items():
            # In turn which is first: what the one before leaves behind falls on both.
            for door in doors if run % 2 == 0 else doors[::-1]:
                report(f"edge, run {run + 1} of {plan.runs}, {way}, {door.name}")
                runs[way, door.name].append(_run(those, door, plan.seconds))
    return runs


def _run(callers: Callers, door: Door, seconds: float) -> Measurement:
    here = replace(callers, stack=replace(callers.stack, url=door.url))
    with here.requests() as requests:
        load = partial(run_wrk, door.url, requests, connections=CONCURRENCY)
        load(seconds=WARM_UP_S)  # not counted
        callers.warm()
        return measured(door, partial(load, seconds=seconds))


def _rates_table(runs: Runs, plan: Plan) -> Table:
    return Table(
        title=f"Edge: recommendations through nginx with TLS, concurrency {CONCURRENCY}",
        columns=["", "good/s", "of gunicorn's", "p50 ms", "p99 ms", "CPU ms/request", "generator's", "failed"],
        rows=[
            [f"{way}, {door}", *_figures(measurements, runs[way, DIRECT])] for (way, door), measurements in runs.items()
        ],
        note=f"Medians of {plan.runs} runs of {plan.seconds:g} s; failed ones summed; the share is the median of the "
        "shares of each run, which measures both doors one after the other. deploy/nginx.conf with a certificate of "
        "its own, kept-alive connections on both sides, the access log in a file. wrk makes the load in every row, "
        f"with one thread, users drawn by Zipf's law on behalf of {CLIENTS} clients; its own encryption takes the same "
        "cores. CPU of all processes of the stack and of nginx.",
    )


def _figures(runs: Sequence[Measurement], direct: Sequence[Measurement]) -> list[str]:
    return [
        f"{median_of(runs, lambda one: one.load.rate):.0f}",
        "" if runs is direct else f"{share(runs, direct):.0%}",
        f"{median_of(runs, lambda one: one.load.p50_ms):.1f}",
        f"{median_of(runs, lambda one: one.load.p99_ms):.1f}",
        f"{median_of(runs, lambda one: sum(one.cpu_ms_per_request.values())):.2f}",
        f"{median_of(runs, lambda one: one.generator_ms_per_request):.3f}",
        f"{sum(one.load.errors for one in runs)}",
    ]


def _costs_table(runs: Runs) -> Table:
    return process_costs_table(
        {f"{way}, {door}": [one.cpu_ms_per_request for one in made] for (way, door), made in runs.items()},
        title="Edge: CPU per request, by process",
    )
