"""Which runners there are too many of, and which are to be replaced since they are of before a deployment."""

from collections.abc import Iterator

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.controller.situation import RunnerView, Situation


def surplus(situation: Situation) -> list[RunnerView]:
    """Return the runners beyond a version's instances: those that load first, then those idle for longest.

    An outdated runner stays until another of its version is READY in its place.
    """
    found: list[RunnerView] = []
    for version in situation.wishes.versions:
        current, outdated = parted(situation, version)
        ready = sum(runner.state is RunnerState.READY for runner in current)
        found += current[version.instances :]
        found += outdated[max(0, version.instances - ready) :]
    return found


def renewable(situation: Situation) -> Iterator[tuple[DesiredVersion, RunnerView]]:
    """Yield the versions of which a runner is to be replaced, with the one to go first; none that fails to start."""
    for version in situation.wishes.versions:
        current, outdated = parted(situation, version)
        if outdated and len(current) < version.instances and situation.prospect(version).may_start:
            yield version, outdated[-1]


def parted(situation: Situation, version: DesiredVersion) -> tuple[list[RunnerView], list[RunnerView]]:
    """Return a version's runners of today and its outdated ones, each by how dear they are, the dearest first."""
    serving = sorted(situation.serving(version), key=lambda one: (one.state is not RunnerState.READY, one.idle_s))
    current = [runner for runner in serving if not runner.is_outdated]
    return current, [runner for runner in serving if runner.is_outdated]
