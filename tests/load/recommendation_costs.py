"""Who pays for a recommendation: CPU by process, CPU by part of a process, calls of Redis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.load.process_costs import process_costs_table
from tests.load.python_profile import RUNNER_PARTS, WEB_PARTS, Parts, Profile, profile
from tests.load.recommendation_runs import Run, Ways, median
from tests.load.report import Table

# What rounds to nothing is left out.
LEAST_CALLS = 0.005


@dataclass(frozen=True, kw_only=True)
class Divided:
    """A kind of process whose CPU is divided into parts."""

    name: str
    kind: str
    parts: Parts


def divided(model: str) -> tuple[Divided, ...]:
    """Return what is worth dividing: C programs are not."""
    return (
        Divided(name="a web worker", kind="web worker", parts=WEB_PARTS),
        Divided(name="the runner", kind=f"runner {model}/", parts=RUNNER_PARTS),
    )


def processes_table(ways: Ways) -> Table:
    """Return what each kind of process paid per request."""
    costs = {name: [run.costs_ms for run in runs] for name, runs in ways.items()}
    return process_costs_table(costs, title="Recommendations: CPU per request, by process")


def redis_table(ways: Ways) -> Table:
    """Return how often Redis was asked per request, and for what."""
    last = {name: runs[-1] for name, runs in ways.items()}
    commands = sorted({command for run in last.values() for command in run.redis.calls})
    asked = {command: _each(last, lambda run, name=command: run.redis.calls.get(name, 0)) for command in commands}  # type: ignore[misc]
    shown = {"round trips": _each(last, lambda run: run.redis.reads)} | {
        command: counts for command, counts in asked.items() if max(counts) >= LEAST_CALLS
    }
    return Table(
        title="Recommendations: calls of Redis per request",
        columns=["", *last],
        rows=[[name, *(f"{count:.2f}" for count in counts)] for name, counts in shown.items()],
        note="Of the last run, by Redis' own `INFO`; a round trip is one read from a connection, and what a "
        "script calls counts as a call as well.",
    )


def parts_table(
    what: Divided, ways: Ways, loads: Mapping[str, Callable[[], object]], *, seconds: float, pids: list[int]
) -> Table:
    """Sample the processes while each load runs, and divide what they paid in the ways of the same name."""
    seen = {name: profile(pids, load, seconds=seconds, parts=what.parts) for name, load in loads.items()}
    paid = {name: median(ways[name], lambda run: run.cpu_ms(what.kind)) for name in seen}
    return Table(
        title=f"Recommendations: where the CPU of {what.name} goes",
        columns=["CPU ms/request", *seen],
        rows=[
            *(
                [part, *(f"{paid[name] * one.shares.get(part, 0.0):.3f}" for name, one in seen.items())]
                for part in _parts(seen)
            ),
            ["together", *(f"{cost:.3f}" for cost in paid.values())],
        ],
        note="What the table by process says, divided by the samples that py-spy took in another run "
        f"({_samples(seen)}): the innermost frame that a part claims decides, so a library's time is its caller's, and "
        "time in C or in the kernel belongs to the line of Python that went there.",
    )


def _each(runs: Mapping[str, Run], pick: Callable[[Run], float]) -> list[float]:
    return [pick(run) / max(1, run.report.offered) for run in runs.values()]


def _parts(seen: Mapping[str, Profile]) -> list[str]:
    largest: dict[str, float] = {}
    for one in seen.values():
        for part, share in one.shares.items():
            largest[part] = max(share, largest.get(part, 0.0))
    return sorted(largest, key=lambda part: largest[part], reverse=True)


def _samples(seen: Mapping[str, Profile]) -> str:
    return ", ".join(f"{name}: {one.problem or one.samples}" for name, one in seen.items())
