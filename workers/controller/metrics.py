"""What the controller counts for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef
from workers.controller.situation import RunnerView

_LABELS = ("model", "version")
# A successor's value is the one that counts, whatever a killed controller left.
_MODE: Final = "livemostrecent"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

RUNNERS = Gauge("galley_controller_runners", "Runners, by state", ["state"], multiprocess_mode=_MODE)
MEMORY = Gauge(
    "galley_controller_memory_bytes", "What a version's runners hold (PSS), 0 once they are gone", _LABELS,
    multiprocess_mode=_MODE,
)  # fmt: skip
BUDGET = Gauge("galley_controller_memory_budget_bytes", "MEMORY_BUDGET", multiprocess_mode=_MODE)
STARTS = Counter("galley_controller_starts", "Runners started", _LABELS)
EVICTIONS = Counter("galley_controller_evictions", "Runners drained for want of memory", _LABELS)
FAILURES = Counter("galley_controller_failures", "Runners that ended or failed though nobody told them to", _LABELS)
LOAD_SECONDS = Histogram(
    "galley_controller_load_seconds", "Seconds from a runner's start until it was READY", _LABELS, buckets=_SECONDS
)


class ControllerMetrics:
    """The gauges as of the last look: what is gone is set to 0, for shared files cannot forget a label."""

    def __init__(self, *, budget_bytes: int) -> None:
        self._seen: set[ModelRef] = set()
        BUDGET.set(budget_bytes)

    def show(self, runners: Iterable[RunnerView]) -> None:
        """Take over what runs."""
        runners = list(runners)
        states = Tally(runner.state for runner in runners)
        for state in RunnerState:
            RUNNERS.labels(state).set(states[state])
        held = _held(runners)
        self._seen |= held.keys()
        for ref in self._seen:
            MEMORY.labels(*labels(ref)).set(held[ref])


def labels(ref: ModelRef) -> tuple[str, str]:
    """Return a version's labels."""
    return ref.name, str(ref.version)


def _held(runners: Sequence[RunnerView]) -> "Tally[ModelRef]":
    held: Tally[ModelRef] = Tally()
    for runner in runners:
        held[runner.version.ref] += runner.memory_bytes
    return held
