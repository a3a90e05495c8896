"""What to do so that what runs becomes what is desired: a pure function of both."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.inference.messages import RunnerState
from app.services.releases import DesiredVersion

SERVING = (RunnerState.LOADING, RunnerState.READY)
# A drained runner ends by itself within `drain_s`; the rest is for saying goodbye.
DRAIN_MARGIN_S = 2.0


@dataclass(frozen=True, kw_only=True)
class RunnerView:
    """What the plan looks at in one runner. All times are seconds up to now."""

    version: DesiredVersion
    address: str
    state: RunnerState
    silent_s: float = 0.0
    """Since its last sign of life."""
    idle_s: float = 0.0
    """Since its last row."""
    draining_s: float = 0.0
    """Since it was told to drain."""
    loading_s: float = 0.0
    """Since it was born, while it is LOADING."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the controller is, and how many versions it loads at a time."""

    load_slots: int
    idle_s: float
    silence_s: float
    drain_s: float
    load_s: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Versions to start, and addresses of runners to drain and to kill."""

    start: Sequence[DesiredVersion] = field(default_factory=tuple)
    drain: Sequence[str] = field(default_factory=tuple)
    kill: Sequence[str] = field(default_factory=tuple)


def plan(
    desired: Collection[DesiredVersion],
    runners: Sequence[RunnerView],
    limits: Limits,
    *,
    may_start: Callable[[DesiredVersion], bool],
) -> Plan:
    """Compare what is desired with what runs.

    An undesired runner goes when it was idle for long enough, but not before each desired version of its model
    is READY: a version that fails to load never costs the one it should replace.
    """
    missing = [version for version in desired if not _is_served(version, runners) and may_start(version)]
    loading = sum(runner.state is RunnerState.LOADING for runner in runners)
    return Plan(
        start=missing[: max(0, limits.load_slots - loading)],
        drain=[runner.address for runner in runners if _is_superfluous(runner, desired, runners, limits)],
        kill=[runner.address for runner in runners if _is_hung(runner, limits)],
    )


def _is_served(version: DesiredVersion, runners: Sequence[RunnerView]) -> bool:
    return any(runner.version == version and runner.state in SERVING for runner in runners)


def _is_superfluous(
    runner: RunnerView, desired: Collection[DesiredVersion], runners: Sequence[RunnerView], limits: Limits
) -> bool:
    if runner.version in desired or runner.state not in SERVING or runner.idle_s < limits.idle_s:
        return False

    ready = {other.version for other in runners if other.state is RunnerState.READY}
    return all(version in ready for version in desired if version.ref.name == runner.version.ref.name)


def _is_hung(runner: RunnerView, limits: Limits) -> bool:
    """Tell a runner that is silent, or drains or loads for ever: a model may loop while its runner still answers."""
    is_draining = runner.state is RunnerState.DRAINING
    return (
        runner.silent_s > limits.silence_s
        or runner.loading_s > limits.load_s
        or (is_draining and runner.draining_s > limits.drain_s + DRAIN_MARGIN_S)
    )
