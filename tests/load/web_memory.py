"""Does a web worker grow? Its resident memory over a million requests, and the slope of the line through it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.load.callers import BYPASS, Callers, callers_of
from tests.load.measure import Plan, Progress
from tests.load.own_generator import Load
from tests.load.report import Table
from tests.load.stack import Stack

WEB_WORKER = "web worker"
STEPS = 20
# Until then caches fill and pools grow to their bounds: told apart from the slope of what follows.
FILLING_STEPS = 4
CONNECTIONS = 32
MEGABYTE, MILLION = 1e6, 1e6


@dataclass(frozen=True, kw_only=True)
class Point:
    """How many requests the stack had answered, and the resident bytes of each web worker then."""

    requests: int
    resident: Mapping[int, int]


def memory_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Send the requests in steps, every fourth step past kept answers, and look at the workers between them."""
    callers = callers_of(stack)
    points = [_point(stack, 0)]
    failed = 0
    with callers.requests() as kept, callers.asking(BYPASS).requests() as bypassing:
        for step in range(1, STEPS + 1):
            answered = _step(callers, bypassing if step % 4 == 0 else kept, plan)
            failed += answered[0] - answered[1]
            points.append(_point(stack, points[-1].requests + answered[0]))
            report(f"memory, {points[-1].requests} requests")
    return [_table(points, failed)]


def slope(requests: Sequence[int], resident: Sequence[int]) -> float:
    """Return megabytes per million requests by least squares."""
    line = statistics.linear_regression([one / MILLION for one in requests], [one / MEGABYTE for one in resident])
    return line.slope


def _step(callers: Callers, requests: Path, plan: Plan) -> tuple[int, int]:
    answered = callers.send(requests, Load(connections=CONNECTIONS, count=max(1, plan.memory_requests // STEPS)))
    return answered.offered, answered.good


def _point(stack: Stack, requests: int) -> Point:
    workers = [fact.pid for fact in stack.facts() if fact.kind == WEB_WORKER]
    return Point(requests=requests, resident={pid: psutil.Process(pid).memory_info().rss for pid in workers})


def _table(points: Sequence[Point], failed: int) -> Table:
    survivors = set.intersection(*(set(point.resident) for point in points))
    replaced = len(points[0].resident) - len(survivors)
    total = points[-1].requests
    return Table(
        title=f"Memory of the web workers over {total} requests",
        columns=["", "at first, MB", f"after {points[FILLING_STEPS].requests}", "at last", "MB per 10⁶ requests"],
        rows=[_row(number, pid, points) for number, pid in enumerate(sorted(survivors), 1)],
        note=f"Resident bytes between {STEPS} equal steps of a closed loop over {CONNECTIONS} connections, every "
        "fourth step with `Cache-Control: no-cache`. The slope is of the line through the steps after caches filled, "
        f"over requests of the whole stack. {failed} requests failed; {replaced} workers were replaced.",
    )


def _row(number: int, pid: int, points: Sequence[Point]) -> list[str]:
    sizes = [point.resident[pid] for point in points]
    later = slice(FILLING_STEPS, None)
    grown = slope([point.requests for point in points[later]], sizes[later])
    shown = [f"{size / MEGABYTE:.1f}" for size in (sizes[0], sizes[FILLING_STEPS], sizes[-1])]
    return [f"web worker {number}", *shown, f"{grown:+.2f}"]
