"""What callers of recommendations feel while others ask a heavy model, which Celery's workers run."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.load.callers import Callers, callers_of
from tests.load.heavy_calls import CALLERS, MODEL, Call, HeavyLoad, job_call, publish_heavy, waiting_call
from tests.load.measure import Observed, Plan, Progress
from tests.load.neighbours import COLUMNS, CONNECTIONS, RATE, figures, observed, p99_ratio
from tests.load.own_generator import LoadReport
from tests.load.report import Table
from tests.load.stack import Stack

# Three loads in a run instead of two: each is shorter.
LENGTH_SHARE = 0.5


@dataclass
class Beside:
    """What was seen beside one way of asking the heavy model, run by run, and how often that answered a second."""

    observed: list[Observed[LoadReport]] = field(default_factory=list)
    answers_per_s: list[float] = field(default_factory=list)


def heavy_neighbours_table(stack: Stack, plan: Plan, report: Progress) -> Table:
    """Measure `plan.runs` times, each time without and with callers of a heavy model."""
    report(f"jobs, publishing {MODEL}")
    publish_heavy(stack)
    callers, seconds = callers_of(stack), LENGTH_SHARE * plan.open_seconds
    calls = {"beside calls over /v2": waiting_call(), "beside jobs of one request": job_call()}
    alone: list[Observed[LoadReport]] = []
    ways = {way: Beside() for way in calls}
    for run in range(plan.runs):
        report(f"jobs, neighbours of {MODEL}, run {run + 1} of {plan.runs}")
        alone.append(observed(callers, seconds))
        for way, call in calls.items():
            _run(callers, call, seconds, ways[way])
    return _table(alone, ways, seconds)


def _run(callers: Callers, call: Call, seconds: float, beside: Beside) -> None:
    load = HeavyLoad(callers.stack, call)
    with load.going_on():
        began, before = time.monotonic(), load.answered
        beside.observed.append(observed(callers, seconds))
        answered, took_s = load.answered - before, time.monotonic() - began
    beside.answers_per_s.append(answered / took_s)


def _table(alone: list[Observed[LoadReport]], ways: Mapping[str, Beside], seconds: float) -> Table:
    rows = [["alone", *figures(alone), "", ""]]
    for way, beside in ways.items():
        answers = statistics.median(beside.answers_per_s)
        rows.append([way, *figures(beside.observed), p99_ratio(alone, beside.observed), f"{answers:.1f}"])
    return Table(
        title=f"Jobs: recommendations at {RATE}/s, alone and beside calls of the heavy model {MODEL}",
        columns=["", *COLUMNS, "p99 is", "heavy answers/s"],
        rows=rows,
        note=f"Medians of {len(alone)} runs of {seconds:g} s over {CONNECTIONS} connections, answers kept for as long "
        f"as usual; failed ones summed. Times count from when a request was due. {CALLERS} callers ask the heavy "
        "model, each again as soon as it is answered; jobs are polled, and deleted at their end.",
    )
