"""A real network under load, beside a bare loop of the same work in the same run."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.load.http_load import PAST_CACHE, Generator, Request
from tests.load.images_bare_loop import BareLoop, bare_loop
from tests.load.measure import Measurement, Plan, Progress, measure
from tests.load.memory import memory_table
from tests.load.pictures import photo_jpeg
from tests.load.report import Table
from tests.load.stack import Stack

IMAGES_MODEL = "resnet18"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The bare loop and the server at each concurrency, measured within minutes of each other."""

    bare: BareLoop
    served: dict[int, Measurement]


def images_tables(stack: Stack, generator: Generator, plan: Plan, report: Progress) -> list[Table]:
    """Measure the model at each concurrency between runs of the bare loop."""
    report(f"importing {IMAGES_MODEL} with random weights")
    stack.flask("models", "import", "torchvision", IMAGES_MODEL, "--weights", "none")
    stack.wait_for_model(IMAGES_MODEL)
    url = f"{stack.url}/api/v1/images/classifications?model={IMAGES_MODEL}"
    request = Request(url=url, token=stack.token, body=photo_jpeg(), content_type="image/jpeg", headers=PAST_CACHE)
    generator.run(request, connections=4, seconds=2)  # warm, not counted
    runs = [_run(stack, generator, request, plan, report) for _ in range(plan.runs)]
    return [
        _table(runs, generator.name, plan),
        memory_table(stack.facts(), moment=f"of the stack with {IMAGES_MODEL}, after load"),
    ]


def _run(stack: Stack, generator: Generator, request: Request, plan: Plan, report: Progress) -> Run:
    report(f"{IMAGES_MODEL}, bare loop")
    bare = bare_loop(request.body, seconds=plan.seconds)
    served = {}
    for connections in plan.concurrencies:
        report(f"{IMAGES_MODEL}, concurrency {connections}")
        served[connections] = measure(stack, generator, request, connections=connections, seconds=plan.seconds)
    return Run(bare=bare, served=served)


def _table(runs: Sequence[Run], generator: str, plan: Plan) -> Table:
    bare_rate = _figure(runs, lambda run: run.bare.images_per_s, 1)
    bare_ms = _figure(runs, lambda run: run.bare.latency_s * 1000, 1)
    return Table(
        title=f"{IMAGES_MODEL}: one 500×375 JPEG per request",
        columns=["concurrency", "images/s", "of bare loop", "p50 ms", "p99 ms", "CPU ms/image", "errors"],
        rows=[
            ["bare loop", bare_rate, "", bare_ms, "", "", ""],
            *(_row(runs, connections) for connections in plan.concurrencies),
        ],
        note=f"Medians of {plan.runs} runs of {plan.seconds:g} s, load by {generator}. Each run measures the bare loop "
        "(decode, preprocess, forward: its rate from one process of one thread per core, its latency from one image at "
        "a time) and then the server; the share is of the bare loop of the same run. Kept "
        "answers are bypassed.",
    )


def _row(runs: Sequence[Run], connections: int) -> list[str]:
    return [
        f"{connections}",
        _figure(runs, lambda run: run.served[connections].load.rate, 1),
        _figure(runs, lambda run: 100 * run.served[connections].load.rate / run.bare.images_per_s, 0) + " %",
        _figure(runs, lambda run: run.served[connections].load.p50_ms, 1),
        _figure(runs, lambda run: run.served[connections].load.p99_ms, 1),
        _figure(runs, lambda run: sum(run.served[connections].cpu_ms_per_request.values()), 1),
        f"{sum(run.served[connections].load.errors for run in runs)}",
    ]


def _figure(runs: Sequence[Run], pick: Callable[[Run], float], digits: int) -> str:
    return f"{statistics.median(map(pick, runs)):.{digits}f}"
