"""How long a job takes over a Parquet file, beside a plain loop that does its work and nothing else."""

import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.load.callers import MODEL
from tests.load.job_calls import discard, submit, wait_for_end
from tests.load.job_inputs import write_parquet
from tests.load.jobs_bare_loop import BareLoop, read_manifest_of
from tests.load.measure import Observed, Plan, Progress, observe
from tests.load.report import Table
from tests.load.stack import Stack

# The batch and the threads of the bare loop are chosen over so many rows.
TRIAL_SHARE = 10
FEWEST_ROWS_PER_CALL = 8
# Two sums of the same products in another order.
TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds of the bare loop, and of the job right after it; lines of the job that say something else."""

    bare_s: float
    job: Observed[float]
    differing: int


def throughput_table(stack: Stack, plan: Plan, report: Progress) -> Table:
    """Measure both `plan.runs` times, in turn, over `plan.job_rows` rows."""
    version = Path(stack.environment["VAR_DIR"]) / "store" / MODEL / "1"
    with tempfile.TemporaryDirectory(prefix="galley-jobs-") as name:
        folder = Path(name)
        report("jobs, looking for the best bare loop")
        loop = _best_loop(version, folder, max(1, plan.job_rows // TRIAL_SHARE))
        source = write_parquet(folder / "rows.parquet", plan.job_rows)
        runs = []
        for run in range(plan.runs):
            report(f"jobs, throughput, run {run + 1} of {plan.runs}")
            runs.append(_run(stack, loop, version, source))
    return _table(runs, loop, plan)


def _best_loop(version: Path, folder: Path, rows: int) -> BareLoop:
    measured = read_manifest_of(version).measured
    sizes = [] if measured is None else [batch.batch_size for batch in measured.batches]
    batches = [size for size in sizes if size >= FEWEST_ROWS_PER_CALL] or [FEWEST_ROWS_PER_CALL]
    cores = len(os.sched_getaffinity(0))
    source = write_parquet(folder / "trial.parquet", rows)
    loops = [BareLoop(threads=threads, batch=batch) for threads in {1, cores} for batch in batches]
    return min(loops, key=lambda loop: loop.seconds(version, source, folder / "trial.ndjson"))


def _run(stack: Stack, loop: BareLoop, version: Path, source: Path) -> Run:
    written = source.with_name("bare.ndjson")
    bare_s = loop.seconds(version, source, written)
    paths: list[str] = []

    def work() -> float:
        began = time.monotonic()
        paths.append(submit(stack, source).path)
        wait_for_end(stack, paths[0])
        return time.monotonic() - began

    job = observe(stack, work)
    with written.open("rb") as expected:
        differing = count_differing(expected, _results(stack, paths[0]))
    discard(stack, paths[0])
    return Run(bare_s=bare_s, job=job, differing=differing)


def _results(stack: Stack, path: str) -> Iterator[str]:
    headers = {"Authorization": f"Bearer {stack.token}"}
    with httpx.stream("GET", f"{stack.url}{path}/results", headers=headers, timeout=60) as answer:
        yield from answer.raise_for_status().iter_lines()


def count_differing(expected: Iterable[bytes], results: Iterable[str]) -> int:
    """Count the lines that say something else than the expected ones, which are as many."""
    pairs = zip(map(orjson.loads, expected), map(orjson.loads, results), strict=True)
    return sum(not _is_same(one, other) for one, other in pairs)


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    scores, others = ([item.pop("score") for item in line["items"]] for line in (one, other))
    return one == other and all(map(partial(math.isclose, rel_tol=TOLERANCE), scores, others))


def _table(runs: Sequence[Run], loop: BareLoop, plan: Plan) -> Table:
    bare_s = statistics.median(run.bare_s for run in runs)
    job_s = statistics.median(run.job.result for run in runs)
    ratio = statistics.median(run.job.result / run.bare_s for run in runs)
    celery_s = statistics.median(run.job.cpu_s.get("celery", 0.0) for run in runs)
    others = statistics.median(run.job.elsewhere.others for run in runs)
    rows = [
        ["bare loop", f"{bare_s:.2f}", f"{plan.job_rows / bare_s:.0f}", "", "", "", ""],
        [
            "job",
            f"{job_s:.2f}",
            f"{plan.job_rows / job_s:.0f}",
            f"{ratio:.2f}×",
            f"{celery_s:.1f}",
            f"{others:.1%}",
            f"{sum(run.differing for run in runs)}",
        ],
    ]
    return Table(
        title=f"Jobs: {plan.job_rows} recommendations from one Parquet file",
        columns=["", "seconds", "rows/s", "of the bare loop", "Celery's CPU s", "others' CPU", "lines that differ"],
        rows=rows,
        note=f"Medians of {len(runs)} runs. The bare loop is one process: it reads the same file with pyarrow, scores "
        f"with the same version and writes the same lines; with {loop.threads} torch threads and {loop.batch} rows per "
        "call it was the fastest of several. The model's loading is not in its time. The job's time begins with the "
        "upload and ends when a poll, every 50 ms, says that it has succeeded.",
    )
