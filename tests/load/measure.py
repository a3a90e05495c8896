"""One figure: load on a route for a while, what the caller saw and what each kind of process paid."""

import re
import resource
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import httpx

from tests.load.http_load import Generator, LoadResult, Request
from tests.load.processes import ProcessFacts, cpu_by_kind
from tests.load.surroundings import Elsewhere, Watch

Progress = Callable[[str], None]
Result = TypeVar("Result")

_STAGE = re.compile(r"(?P<stage>[\w-]+);dur=(?P<ms>[\d.]+)")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run of load, the CPU seconds each kind of process used for it, and those of the generator."""

    load: LoadResult
    cpu_s: Mapping[str, float]
    generator_s: float

    @property
    def cpu_ms_per_request(self) -> dict[str, float]:
        """CPU milliseconds per request, by kind of process."""
        return {kind: used * 1000 / max(1, self.load.requests) for kind, used in self.cpu_s.items()}

    @property
    def generator_ms_per_request(self) -> float:
        """CPU milliseconds per request of who made the load."""
        return self.generator_s * 1000 / max(1, self.load.requests)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much to measure: seconds per run, runs per figure, and at which concurrencies.

    Runs in an open loop and under overload have a length of their own; memory is watched over so many requests. Jobs
    have `job_rows` to be timed, `busy_rows` to be others' neighbour, and `job_megabytes` to be large. Of streams,
    `idle_sockets` are open beside others, and one account has `account_events`. A stack and its unwatched double are
    loaded in `pairs` of runs; the soak lasts `soak_seconds`.
    """

    seconds: float = 10.0
    runs: int = 3
    concurrencies: tuple[int, ...] = (1, 8, 32)
    open_seconds: float = 60.0
    overload_seconds: float = 60.0
    memory_requests: int = 1_000_000
    job_rows: int = 100_000
    busy_rows: int = 1_000_000
    job_megabytes: int = 500
    idle_sockets: int = 2000
    account_events: int = 100_000
    pairs: int = 10
    soak_seconds: float = 1200.0


class Measured(Protocol):
    """Processes under load."""

    def facts(self) -> list[ProcessFacts]:
        """Return all of them, as they are now."""


@dataclass(frozen=True, kw_only=True)
class Observed(Generic[Result]):
    """What some work came to, the CPU seconds each kind of process used for it, and what else ran meanwhile."""

    result: Result
    cpu_s: Mapping[str, float]
    elsewhere: Elsewhere


def observe(stack: Measured, work: Callable[[], Result]) -> Observed[Result]:
    """Do the work and watch the stack and the machine."""
    watch = Watch()
    before = stack.facts()
    result = work()
    return Observed(result=result, cpu_s=cpu_by_kind(before, stack.facts()), elsewhere=watch.seen())


def measure(
    stack: Measured, generator: Generator, request: Request, *, connections: int, seconds: float
) -> Measurement:
    """Load the route once."""
    return measured(stack, lambda: generator.run(request, connections=connections, seconds=seconds))


def measured(stack: Measured, load: Callable[[], LoadResult]) -> Measurement:
    """Make the load, in a process that ends with it, and watch who pays."""
    before = _ended_children_s()
    observed = observe(stack, load)
    return Measurement(load=observed.result, cpu_s=observed.cpu_s, generator_s=_ended_children_s() - before)


def stage_times(request: Request, *, count: int = 200) -> dict[str, float]:
    """Return the median milliseconds of each stage that Server-Timing names, one request at a time."""
    own = {"Authorization": f"Bearer {request.token}", "Content-Type": request.content_type}
    headers = {**own, **request.headers}
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


def _ended_children_s() -> float:
    """Return the CPU seconds of this process's children that ended: a generator is one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
