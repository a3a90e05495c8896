"""An alias that moves back and forth between two versions under load: no request may fail."""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.load.background import meanwhile
from tests.load.http_load import Generator, LoadResult
from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.stack import Stack
from tests.load.tensor_model import binary_request, write_model

NAME = "switched"
CONNECTIONS = 32
INTERVAL_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: what callers saw, how often the alias moved, and how much each version answered."""

    load: LoadResult
    switches: int
    answered: dict[str, int]


def alias_switch_tables(stack: Stack, generator: Generator, plan: Plan, report: Progress) -> list[Table]:
    """Load the alias `default` while it moves, `plan.runs` times."""
    with tempfile.TemporaryDirectory(prefix="galley-switched-") as folder:
        artifact = write_model(Path(folder))
        stack.publish(artifact, NAME)
        stack.publish(artifact, NAME)
    stack.call("POST", f"/api/v1/models/{NAME}/versions/2/pin")
    stack.wait_for_model(NAME, version=2)
    runs = []
    for run in range(plan.runs):
        report(f"alias switch, run {run + 1} of {plan.runs}")
        runs.append(_run(stack, generator, plan))
    return [_table(runs, generator.name, plan)]


def _run(stack: Stack, generator: Generator, plan: Plan) -> Run:
    request = binary_request(stack.url, stack.token, model=NAME)
    switches = [0]

    def switch(is_over: threading.Event) -> None:
        while not is_over.wait(INTERVAL_S):
            switches[0] += 1
            target = 1 + switches[0] % 2
            stack.call("PUT", f"/api/v1/models/{NAME}/aliases/default", json={"version": target})

    before = _answered(stack)
    with meanwhile(switch):
        load = generator.run(request, connections=CONNECTIONS, seconds=plan.seconds)
    after = _answered(stack)
    return Run(load=load, switches=switches[0], answered={name: after[name] - before[name] for name in after})


def _answered(stack: Stack) -> dict[str, int]:
    entries = [stack.call("GET", f"/v2/models/{NAME}/versions/{version}/stats") for version in (1, 2)]
    return {one["version"]: one["inference_count"] for entry in entries for one in entry.json()["model_stats"]}


def _table(runs: list[Run], generator: str, plan: Plan) -> Table:
    rows = [
        [
            f"{number}",
            f"{run.load.rate:.0f}",
            f"{run.load.p99_ms:.1f}",
            f"{run.switches}",
            f"{run.answered['1']}",
            f"{run.answered['2']}",
            f"{run.load.errors}",
        ]
        for number, run in enumerate(runs, 1)
    ]
    return Table(
        title="Alias switch: `default` moves back and forth between two versions under load",
        columns=["run", "requests/s", "p99 ms", "switches", "answered by 1", "answered by 2", "failed"],
        rows=rows,
        note=f"Runs of {plan.seconds:g} s at concurrency {CONNECTIONS}, load by {generator}, a move over the API every "
        f"{INTERVAL_S:g} s. Both versions are loaded: version 2 is pinned.",
    )
