"""One figure: load on a route for a while, what the caller saw and what each kind of process paid."""

import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from tests.load.http_load import Generator, LoadResult, Request
from tests.load.processes import ProcessFacts, cpu_by_kind

Progress = Callable[[str], None]

_STAGE = re.compile(r"(?P<stage>[\w-]+);dur=(?P<ms>[\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run of load, and the CPU seconds each kind of process used for it."""

    load: LoadResult
    cpu_s: dict[str, float]

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """CPU milliseconds per request, by kind of process."""
        return {kind: used * 1000 / max(1, self.load.requests) for kind, used in self.cpu_s.items()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much to measure: seconds per run, runs per figure, and at which concurrencies."""

    seconds: float = 10.0
    runs: int = 3
    concurrencies: tuple[int, ...] = (1, 8, 32)


class Measured(Protocol):
    """Processes under load."""

    def facts(self) -> list[ProcessFacts]:
        """Return all of them, as they are now."""


def measure(
    stack: Measured, generator: Generator, request: Request, *, connections: int, seconds: float
) -> Measurement:
    """Load the route once."""
    before = stack.facts()
    load = generator.run(request, connections=connections, seconds=seconds)
    return Measurement(load=load, cpu_s=cpu_by_kind(before, stack.facts()))


def stage_times(request: Request, *, count: int = 200) -> dict[str, float]:
    """Return the median milliseconds of each stage that Server-Timing names, one request at a time."""
    headers = {"Authorization": f"Bearer {request.token}", "Content-Type": request.content_type}
    stages: dict[str, list[float]] = defaultdict(list)
    with httpx.Client(headers=headers) as client:
        for _ in range(count):
            answer = client.post(request.url, content=request.body).raise_for_status()
            for stage in _STAGE.finditer(answer.headers["Server-Timing"]):
                stages[stage["stage"]].append(float(stage["ms"]))
    return {stage: statistics.median(times) for stage, times in stages.items()}


def median_of(measurements: Sequence[Measurement], pick: Callable[[Measurement], float]) -> float:
    """Return the median of one figure over all runs."""
    return statistics.median(map(pick, measurements))
