"""The demo model under load: what the path around a tiny model costs, and who pays."""

from tests.load.http_load import PAST_CACHE, Generator, Request
from tests.load.measure import Measurement, Plan, Progress, measure, median_of, stage_times
from tests.load.memory import memory_table
from tests.load.pictures import digit_png
from tests.load.report import Table
from tests.load.stack import Stack

Runs = dict[int, list[Measurement]]


def digits_tables(stack: Stack, generator: Generator, plan: Plan, report: Progress) -> list[Table]:
    """Measure `digits` at each concurrency and return its tables."""
    request = digits_request(stack)
    generator.run(request, connections=4, seconds=2)  # warm, not counted
    stages = stage_times(request)
    runs: Runs = {count: [] for count in plan.concurrencies}
    for run in range(plan.runs):
        for connections in plan.concurrencies:
            report(f"digits, run {run + 1} of {plan.runs}, concurrency {connections}")
            runs[connections].append(measure(stack, generator, request, connections=connections, seconds=plan.seconds))
    return [
        _rates(runs, generator.name, plan),
        _costs(runs, plan),
        _stages(stages),
        memory_table(stack.facts(), moment="of the default stack, after load"),
    ]


def digits_request(stack: Stack) -> Request:
    """Return the request: one scanned digit, past the cache."""
    url = f"{stack.url}/api/v1/images/classifications?model=digits&top_k=1"
    return Request(url=url, token=stack.token, body=digit_png(), content_type="image/png", headers=PAST_CACHE)


def _rates(runs: Runs, generator: str, plan: Plan) -> Table:
    rows = [
        [
            f"{connections}",
            f"{median_of(measured, lambda one: one.load.rate):.0f}",
            f"{median_of(measured, lambda one: one.load.p50_ms):.1f}",
            f"{median_of(measured, lambda one: one.load.p99_ms):.1f}",
            f"{median_of(measured, lambda one: sum(one.cpu_ms_per_request.values())):.2f}",
            f"{sum(one.load.errors for one in measured)}",
        ]
        for connections, measured in runs.items()
    ]
    return Table(
        title="digits: one 64×64 PNG per request",
        columns=["concurrency", "requests/s", "p50 ms", "p99 ms", "CPU ms/request", "errors"],
        rows=rows,
        note=f"Medians of {plan.runs} runs of {plan.seconds:g} s, load by {generator}; "
        "CPU of all processes of the stack together, load generator not counted; errors summed; kept answers bypassed.",
    )


def _costs(runs: Runs, plan: Plan) -> Table:
    kinds = sorted({kind for measured in runs.values() for one in measured for kind in one.cpu_s})
    rows = [
        [kind, *(f"{_median_cost(measured, kind):.3f}" for measured in runs.values())]
        for kind in kinds
        if any(_median_cost(measured, kind) >= 0.0005 for measured in runs.values())
    ]
    return Table(
        title="digits: CPU per request, by process",
        columns=["CPU ms/request", *(f"at {connections}" for connections in runs)],
        rows=rows,
        note=f"Medians of {plan.runs} runs. Kinds under 0.0005 ms are left out; upkeep (heartbeats, Celery's beat) is "
        "spread over the requests, so it weighs more at concurrency 1.",
    )


def _median_cost(measured: list[Measurement], kind: str) -> float:
    return median_of(measured, lambda one: one.cpu_ms_per_request.get(kind, 0.0))


def _stages(stages: dict[str, float]) -> Table:
    return Table(
        title="digits: where the time of a lone request goes",
        columns=["stage (Server-Timing)", "ms"],
        rows=[[stage, f"{milliseconds:.2f}"] for stage, milliseconds in stages.items()],
        note="Medians of 200 requests, one at a time.",
    )
