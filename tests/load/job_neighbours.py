"""What callers of recommendations feel while a large job runs beside them."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.callers import Callers, callers_of
from tests.load.job_calls import running_job
from tests.load.job_inputs import write_parquet
from tests.load.measure import Observed, Plan, Progress
from tests.load.neighbours import COLUMNS, CONNECTIONS, RATE, figures, observed, p99_ratio
from tests.load.own_generator import LoadReport
from tests.load.report import Table
from tests.load.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Run:
    """The same load without and with the job, and the rows per second that the job did meanwhile."""

    alone: Observed[LoadReport]
    beside: Observed[LoadReport]
    rows_per_s: float


def neighbours_table(stack: Stack, plan: Plan, report: Progress) -> Table:
    """Measure `plan.runs` times, each time without and with a job of `plan.busy_rows` rows."""
    callers = callers_of(stack)
    runs = []
    with tempfile.TemporaryDirectory(prefix="galley-jobs-") as name:
        source = write_parquet(Path(name) / "rows.parquet", plan.busy_rows)
        for run in range(plan.runs):
            report(f"jobs, neighbours, run {run + 1} of {plan.runs}")
            runs.append(_run(callers, source, plan.open_seconds))
    return _table(runs, plan)


def _run(callers: Callers, source: Path, seconds: float) -> Run:
    stack = callers.stack
    alone = observed(callers, seconds)
    with running_job(stack, source) as job:
        before = _done(stack, job.path)
        beside = observed(callers, seconds)
        rows = _done(stack, job.path) - before
    return Run(alone=alone, beside=beside, rows_per_s=rows / beside.result.seconds)


def _done(stack: Stack, path: str) -> int:
    return int(stack.call("GET", path).json()["progress"]["done"])


def _table(runs: Sequence[Run], plan: Plan) -> Table:
    alone, beside = [run.alone for run in runs], [run.beside for run in runs]
    rows_per_s = statistics.median(run.rows_per_s for run in runs)
    return Table(
        title=f"Jobs: recommendations at {RATE}/s, alone and beside a job of {plan.busy_rows} rows",
        columns=["", *COLUMNS, "p99 is", "job's rows/s"],
        rows=[
            ["alone", *figures(alone), "", ""],
            ["beside the job", *figures(beside), p99_ratio(alone, beside), f"{rows_per_s:.0f}"],
        ],
        note=f"Medians of {len(runs)} runs of {plan.open_seconds:g} s over {CONNECTIONS} connections, answers kept for "
        "as long as usual; failed ones summed. Times count from when a request was due.",
    )
