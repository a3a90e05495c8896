"""What one model's callers feel while a version of 100 MB is loaded beside it."""

import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.background import meanwhile
from tests.load.http_load import Generator, LoadResult
from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.stack import Stack
from tests.load.tensor_model import binary_request, write_model

STEADY, BIG = "steady", "big"
# 784 × 4700 and 4700 × 4700 weights of four bytes.
BIG_WIDTH = 4700
CONNECTIONS = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """The same load without and with a load beside it, and how long that took."""

    before: LoadResult
    during: LoadResult
    load_s: float


def hot_loading_tables(stack: Stack, generator: Generator, plan: Plan, report: Progress) -> list[Table]:
    """Measure the steady model `plan.runs` times, each time without and with the other being loaded."""
    with tempfile.TemporaryDirectory(prefix="galley-big-") as folder:
        stack.publish(write_model(Path(folder)), STEADY)
        big = write_model(Path(folder), hidden=BIG_WIDTH)
        size_mb = big.stat().st_size / 1e6
        report(f"publishing a model of {size_mb:.0f} MB")
        stack.publish(big, BIG)
    runs = []
    for run in range(plan.runs):
        report(f"hot loading, run {run + 1} of {plan.runs}")
        runs.append(_run(stack, generator, plan))
    return [_table(runs, generator.name, plan, size_mb)]


def _run(stack: Stack, generator: Generator, plan: Plan) -> Run:
    request = binary_request(stack.url, stack.token, model=STEADY)
    times: list[float] = []

    def load(is_over: threading.Event) -> None:
        while not is_over.is_set():
            started = time.monotonic()
            stack.call("POST", f"/v2/repository/models/{BIG}/load")
            times.append(time.monotonic() - started)
            _unload(stack)

    _unload(stack)
    generator.run(request, connections=CONNECTIONS, seconds=2)  # warm, not counted
    before = generator.run(request, connections=CONNECTIONS, seconds=plan.seconds)
    with meanwhile(load):
        during = generator.run(request, connections=CONNECTIONS, seconds=plan.seconds)
    return Run(before=before, during=during, load_s=statistics.median(times))


def _unload(stack: Stack) -> None:
    stack.call("POST", f"/v2/repository/models/{BIG}/unload")
    stack.wait_for_model(BIG, is_ready=False)


def _table(runs: Sequence[Run], generator: str, plan: Plan, size_mb: float) -> Table:
    def row(title: str, results: Sequence[LoadResult], share: str, load: str) -> list[str]:
        return [
            title,
            f"{statistics.median(one.rate for one in results):.0f}",
            f"{statistics.median(one.p50_ms for one in results):.1f}",
            f"{statistics.median(one.p99_ms for one in results):.1f}",
            share,
            load,
            f"{sum(one.errors for one in results)}",
        ]

    share = f"{statistics.median(run.during.p99_ms / run.before.p99_ms for run in runs):.2f}×"
    load = f"{statistics.median(run.load_s for run in runs):.1f}"
    return Table(
        title=f"Hot loading: a small model's callers while {size_mb:.0f} MB are loaded beside it",
        columns=["", "requests/s", "p50 ms", "p99 ms", "p99 is", "load s", "errors"],
        rows=[
            row("before", [run.before for run in runs], "", ""),
            row("while it loads", [run.during for run in runs], share, load),
        ],
        note=f"Medians of {len(runs)} runs of {plan.seconds:g} s at concurrency {CONNECTIONS}, load by {generator}. "
        "The other version is loaded (read, checked by digest, proven) and unloaded again and again while a run lasts.",
    )
