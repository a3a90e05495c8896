"""Three times what the server can do: what still comes through, how refusals feel, and how soon it is itself again."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.load.callers import BYPASS, CLIENTS, Callers, callers_of
from tests.load.measure import Plan, Progress
from tests.load.own_generator import Load, LoadReport
from tests.load.report import Table
from tests.load.stack import Stack

CONCURRENCIES = (16, 32, 64, 128)
SEARCH_S = 5.0
FACTOR = 3
CONNECTIONS = 1000
DEADLINE_S = 1.0
# A caller sends nothing that is older, and waits for no answer for longer.
PATIENCE_S = 2 * DEADLINE_S
AFTER_S = 4.0
# Counted from 0: from one second after the overload to two.
SECOND_SECOND = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """One overload: the maximum found before it, what came of it, and the load right after it."""

    capacity: float
    concurrency: int
    report: LoadReport
    after: LoadReport


def _again(run: Run) -> float:
    return float(run.after.good_in_second[SECOND_SECOND])


# Each figure of the table: its name, and how it is read from a run.
FIGURES: tuple[tuple[str, Callable[[Run], float], str], ...] = (
    ("maximum, good/s", lambda run: run.capacity, ".0f"),
    ("reached at concurrency", lambda run: run.concurrency, ".0f"),
    ("offered/s", lambda run: run.report.offered / run.report.seconds, ".0f"),
    ("good/s", lambda run: run.report.rate, ".0f"),
    ("goodput, of the maximum", lambda run: run.report.rate / run.capacity, ".0%"),
    ("good: p50 ms", lambda run: run.report.good_ms.p50, ".1f"),
    ("good: p99 ms", lambda run: run.report.good_ms.p99, ".1f"),
    ("good: p50 ms from sending", lambda run: run.report.good_sent_ms.p50, ".1f"),
    ("good: p99 ms from sending", lambda run: run.report.good_sent_ms.p99, ".1f"),
    ("good: p99.9 ms from sending", lambda run: run.report.good_sent_ms.p99_9, ".1f"),
    ("refused/s", lambda run: run.report.refused / run.report.seconds, ".0f"),
    ("refused: p50 ms", lambda run: run.report.refused_ms.p50, ".1f"),
    ("refused: p99 ms", lambda run: run.report.refused_ms.p99, ".1f"),
    ("refused: p50 ms from sending", lambda run: run.report.refused_sent_ms.p50, ".1f"),
    ("refused: p99 ms from sending", lambda run: run.report.refused_sent_ms.p99, ".1f"),
    ("refused with 429", lambda run: run.report.limited, ".0f"),
    ("refused with 503", lambda run: run.report.unavailable, ".0f"),
    ("refused without Retry-After", lambda run: run.report.without_retry_after, ".0f"),
    ("other answers", lambda run: run.report.other, ".0f"),
    ("status of the first other", lambda run: run.report.first_other, ".0f"),
    ("lost: no answer, or a broken connection", lambda run: run.report.lost, ".0f"),
    ("never sent: no free connection", lambda run: run.report.given_up, ".0f"),
    ("good/s in the 2nd second after", _again, ".0f"),
    ("of the maximum", lambda run: _again(run) / run.capacity, ".0%"),
)


def overload_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Overload the stack `plan.runs` times in each way of asking."""
    callers = callers_of(stack).asking({"Request-Timeout": f"{DEADLINE_S:g}"})
    ways = {"kept answers": callers, "bypassed": callers.asking(BYPASS)}
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for run in range(plan.runs):
        for name, asking in ways.items():
            report(f"overload, run {run + 1} of {plan.runs}, {name}")
            runs[name].append(_run(asking, plan, report))
    return [_table(runs, plan)]


def _run(callers: Callers, plan: Plan, report: Progress) -> Run:
    callers.warm()
    concurrency, capacity = _maximum(callers, min(SEARCH_S, plan.seconds))
    report(f"overload, {capacity:.0f}/s at concurrency {concurrency}; offering {FACTOR * capacity:.0f}/s")
    flood = Load(connections=CONNECTIONS, seconds=plan.overload_seconds, rate=FACTOR * capacity, timeout_s=PATIENCE_S)
    with callers.requests() as requests:
        during = callers.send(requests, flood)
        after = callers.send(requests, Load(connections=concurrency, seconds=AFTER_S))
    return Run(capacity=capacity, concurrency=concurrency, report=during, after=after)


def _maximum(callers: Callers, seconds: float) -> tuple[int, float]:
    """Return the concurrency with the highest rate, and that rate."""
    with callers.requests() as requests:
        rates = {
            connections: callers.send(requests, Load(connections=connections, seconds=seconds)).rate
            for connections in CONCURRENCIES
        }
    return max(rates.items(), key=lambda item: item[1])


def _table(runs: dict[str, list[Run]], plan: Plan) -> Table:
    return Table(
        title=f"Overload: {FACTOR}× the maximum, offered whatever the server does",
        columns=["", *runs],
        rows=[[name, *(_figure(of_way, pick, form) for of_way in runs.values())] for name, pick, form in FIGURES],
        note=f"Medians of {plan.runs} runs of {plan.overload_seconds:g} s over {CONNECTIONS} connections, {CLIENTS} "
        f"clients and a deadline of {DEADLINE_S:g} s (`Request-Timeout`). The maximum is the best of concurrency "
        f"{', '.join(map(str, CONCURRENCIES))} right before. Times count from when a request was due, unless from "
        f"sending, which is what the deadline counts from. A request without a free connection for {PATIENCE_S:g} s "
        "is not sent. The load after it begins when the last request of the overload was answered or given up.",
    )


def _figure(runs: Sequence[Run], pick: Callable[[Run], float], form: str) -> str:
    return f"{statistics.median(map(pick, runs)):{form}}"
