"""The load generators beside each other: they must see the same server, and one that costs much is part of the load."""

from collections.abc import Sequence

from tests.load.digits import digits_request
from tests.load.http_load import Generator
from tests.load.measure import Measurement, Plan, Progress, measure, median_of
from tests.load.report import Table
from tests.load.stack import Stack

CONNECTIONS = 8


def generators_tables(stack: Stack, generators: Sequence[Generator], plan: Plan, report: Progress) -> list[Table]:
    """Measure `digits` with each generator, `plan.runs` times in turn."""
    request = digits_request(stack)
    runs: dict[str, list[Measurement]] = {generator.name: [] for generator in generators}
    for run in range(plan.runs):
        for generator in generators:
            report(f"generators, run {run + 1} of {plan.runs}, {generator.name}")
            measured = measure(stack, generator, request, connections=CONNECTIONS, seconds=plan.seconds)
            runs[generator.name].append(measured)
    return [_table(runs, plan)]


def _table(runs: dict[str, list[Measurement]], plan: Plan) -> Table:
    rows = [
        [
            name,
            f"{median_of(measured, lambda one: one.load.rate):.0f}",
            f"{median_of(measured, lambda one: one.load.p50_ms):.1f}",
            f"{median_of(measured, lambda one: one.load.p99_ms):.1f}",
            f"{median_of(measured, lambda one: sum(one.cpu_ms_per_request.values())):.2f}",
            f"{median_of(measured, lambda one: one.generator_ms_per_request):.3f}",
            f"{sum(one.load.errors for one in measured)}",
        ]
        for name, measured in runs.items()
    ]
    return Table(
        title="The load generators beside each other",
        columns=["generator", "requests/s", "p50 ms", "p99 ms", "CPU ms/request", "generator's", "errors"],
        rows=rows,
        note=f"digits at concurrency {CONNECTIONS}, medians of {plan.runs} runs of {plan.seconds:g} s, in turn. `own` "
        "is tests/load/generator, with which all else is measured; GALLEY_LOAD may name a third one. Only the "
        "closed loop is compared.",
    )
