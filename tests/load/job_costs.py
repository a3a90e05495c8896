"""What jobs cost: the answer to an upload, a poll, and memory while a large input goes through."""

import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.load.job_calls import discard, submit, wait_for_end
from tests.load.job_inputs import write_fat_ndjson, write_ndjson
from tests.load.measure import Observed, Plan, Progress, observe
from tests.load.own_generator import Load, LoadReport, run_load
from tests.load.peak_memory import peak_growth
from tests.load.report import Table
from tests.load.request_file import request_file
from tests.load.stack import Stack

FEW_ROWS = 1000
MEGABYTE = 10**6
# Each may poll 50 times a second, and polls less often than that in all.
POLLING_CLIENTS = 50
POLLS = 2000
WARMING_JOBS = 8


@dataclass(frozen=True, kw_only=True)
class Large:
    """What one large input came to: seconds until its upload was answered, and how far processes grew, by kind."""

    answered_after_s: float
    growth: Mapping[str, int]


def costs_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Post inputs of several sizes, follow a job, and run one of `plan.job_megabytes`."""
    with tempfile.TemporaryDirectory(prefix="galley-jobs-") as name:
        folder = Path(name)
        inputs = {f"{rows} rows": write_ndjson(folder / f"{rows}.ndjson", rows) for rows in (FEW_ROWS, plan.job_rows)}
        large = write_fat_ndjson(folder / "large.ndjson", plan.job_megabytes * MEGABYTE)
        _warm(stack, inputs[f"{FEW_ROWS} rows"])
        answers: dict[str, list[float]] = {}
        for run in range(plan.runs):
            for title, source in inputs.items():
                report(f"jobs, submitting, run {run + 1} of {plan.runs}, {title}")
                job = submit(stack, source)
                answers.setdefault(title, []).append(job.answered_after_s)
                discard(stack, job.path)
        report("jobs, polling")
        polls = _polls(stack, inputs[f"{FEW_ROWS} rows"])
        report(f"jobs, an input of {plan.job_megabytes} MB")
        whole = _large(stack, large)
        answers[f"{plan.job_megabytes} MB"] = [whole.answered_after_s]
    return [_submit_table(answers), _poll_table(polls), _memory_table(whole, plan)]


def _warm(stack: Stack, source: Path) -> None:
    """Post jobs until each web worker will have had one: its first connects to the broker."""
    for _ in range(WARMING_JOBS):
        discard(stack, submit(stack, source).path)


def _polls(stack: Stack, source: Path) -> dict[str, Observed[LoadReport]]:
    job = submit(stack, source)
    wait_for_end(stack, job.path)
    etag = stack.call("GET", job.path).headers["ETag"]
    tokens = [stack.token_of_new_client("admin") for _ in range(POLLING_CLIENTS)]
    polling = Load(connections=POLLING_CLIENTS, count=POLLS)
    observed = {}
    for title, header in {"200": "", "304": f"If-None-Match: {etag}\r\n"}.items():
        lines = f"GET {job.path} HTTP/1.1\r\nHost: galley\r\n{header}"
        wires = [f"{lines}Authorization: Bearer {token}\r\n\r\n".encode() for token in tokens]
        with request_file(wires) as requests:
            # Not counted: each worker gets to know the tokens.
            run_load(stack.url, requests, Load(connections=POLLING_CLIENTS, count=POLLING_CLIENTS))
            observed[title] = observe(stack, partial(run_load, stack.url, requests, polling))
    discard(stack, job.path)
    return observed


def _large(stack: Stack, source: Path) -> Large:
    def work() -> float:
        job = submit(stack, source)
        wait_for_end(stack, job.path)
        discard(stack, job.path)
        return job.answered_after_s

    answered_after_s, growth = peak_growth(stack, work)
    return Large(answered_after_s=answered_after_s, growth=growth)


def _submit_table(answers: Mapping[str, list[float]]) -> Table:
    return Table(
        title="Jobs: from the last byte of an upload to its answer",
        columns=["input", "median ms", "slowest ms"],
        rows=[
            [title, f"{1000 * statistics.median(times):.1f}", f"{1000 * max(times):.1f}"]
            for title, times in answers.items()
        ],
        note="NDJSON in a form, over loopback. What the kernel had taken and the server had not read yet is in it. "
        f"{WARMING_JOBS} jobs before it are not counted: the first of each worker connects to the broker.",
    )


def _poll_table(polls: Mapping[str, Observed[LoadReport]]) -> Table:
    return Table(
        title="Jobs: a poll of a job's state",
        columns=["answered with", "CPU ms, whole stack", "web workers'", "polls/s", "failed"],
        rows=[_poll_row(title, observed) for title, observed in polls.items()],
        note=f"{POLLS} polls of a sort by {POLLING_CLIENTS} clients, each on a connection of its own and waiting for "
        "an answer before it polls again; means. With the `ETag` of the answer before in `If-None-Match`, the answer "
        "is 304.",
    )


def _poll_row(title: str, observed: Observed[LoadReport]) -> list[str]:
    report = observed.result
    # The generator counts what is no 2xx as other answers, and says which the first was.
    answered = report.other if title == f"{report.first_other}" else report.good
    used = (sum(observed.cpu_s.values()), observed.cpu_s.get("web worker", 0.0))
    shares = (f"{1000 * seconds / report.offered:.2f}" for seconds in used)
    return [title, *shares, f"{report.offered / report.seconds:.0f}", f"{report.offered - answered}"]


def _memory_table(large: Large, plan: Plan) -> Table:
    kinds = ("web worker", "celery", "controller", "redis")
    return Table(
        title=f"Jobs: memory while {plan.job_megabytes} MB of rows are taken in and run",
        columns=["process", "grew by, MB"],
        rows=[[kind, f"{large.growth.get(kind, 0) / MEGABYTE:.0f}"] for kind in kinds],
        note="The peak of the resident memory (VmHWM) above what the process held before, of the one that grew most of "
        "each kind. Rows of 11 kB each, NDJSON; the job runs to its end.",
    )
