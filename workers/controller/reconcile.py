"""What to do so that what runs becomes what is desired: a pure function of the situation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.controller.budget import Tenant, allot
from workers.controller.renewal import renewable, surplus
from workers.controller.situation import BUSY_S, SERVING, RunnerView, Situation

# Who loads for longer than this keeps no slot: two that loop for ever would keep all others from loading.
SLOT_S = 15.0
# A drained runner ends by itself within `drain_s`; the rest is for saying goodbye.
DRAIN_MARGIN_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Versions to start, one runner each; addresses of runners to drain and to kill; what gets none, and why."""

    start: Sequence[DesiredVersion] = ()
    drain: Sequence[str] = ()
    kill: Sequence[str] = ()
    evicted: Sequence[DesiredVersion] = ()
    """Whose runners are drained for want of memory."""
    held_back: Mapping[DesiredVersion, str] = field(default_factory=dict)
    oversized: Mapping[DesiredVersion, str] = field(default_factory=dict)


def plan(situation: Situation) -> Plan:
    """Compare what is desired with what runs.

    What was unloaded or deleted goes at once. An undesired runner goes when it was idle for long enough, one of before
    a deployment as soon as it is idle, but not while it stands in for a version that never was READY: one that fails
    to load never costs the one it should replace.
    """
    superfluous = [runner for runner in situation.runners if _is_superfluous(runner, situation)]
    leaving = superfluous + surplus(situation)
    gone = {runner.address for runner in leaving}
    staying = [runner for runner in situation.runners if runner.state in SERVING and runner.address not in gone]
    tenants = [_tenant(runner, situation) for runner in staying]
    allotment = allot(
        [*tenants, *_missing(situation)],
        situation.limits.budget_bytes,
        residue_bytes=situation.residue_bytes(len(staying)),
    )
    start, cleared = _startable(allotment.start, situation), list[str]()
    if not (allotment.start or leaving or allotment.evict):
        start, cleared = _renewal(situation)
    return Plan(
        start=start,
        drain=[*(runner.address for runner in leaving), *allotment.evict, *cleared],
        kill=[runner.address for runner in situation.runners if _is_hung(runner, situation)],
        evicted=[tenant.version for tenant in tenants if tenant.address in allotment.evict],
        held_back=allotment.held_back,
        oversized=allotment.oversized,
    )


def _is_superfluous(runner: RunnerView, situation: Situation) -> bool:
    if runner.state not in SERVING:
        return False
    if not situation.wishes.allows(runner.version.ref):
        return True
    if runner.version in situation.wishes.versions or runner.idle_s < _patience_s(runner, situation):
        return False

    return not situation.stands_in(runner)


def _patience_s(runner: RunnerView, situation: Situation) -> float:
    """Return how long an undesired runner may be idle: an outdated one is called for as another of today's."""
    is_in_use = bool(runner.queued_rows) or not runner.is_outdated
    return situation.limits.idle_s if is_in_use else min(BUSY_S, situation.limits.idle_s)


def _tenant(runner: RunnerView, situation: Situation) -> Tenant:
    """Return what a runner claims. One that is pinned, or answers for another, is not to be moved."""
    is_answering = runner.state is RunnerState.READY and situation.stands_in(runner)
    return Tenant(
        version=runner.version,
        held_bytes=situation.held_bytes(runner),
        need_bytes=situation.freed_bytes(runner),
        address=runner.address,
        is_fixed=is_answering or runner.version in situation.pinned,
        is_settled=runner.is_settled,
        unused_s=0.0 if runner.queued_rows else runner.idle_s,
    )


def _missing(situation: Situation) -> Iterator[Tenant]:
    """Yield each runner that is not there. Only a version's first one is worth an eviction, unless it is pinned."""
    for version in situation.wishes.versions:
        known = situation.prospect(version)
        count = len(situation.serving(version))
        waited_s = 0.0 if known.waited_s is None and situation.has_stand_in(version) else known.waited_s
        for instance in range(count, version.instances if known.may_start else 0):
            yield Tenant(
                version=version,
                need_bytes=situation.need_bytes(version),
                is_fixed=version.is_pinned,
                unused_s=known.unused_s,
                waited_s=waited_s if instance == 0 else None,
            )


def _startable(versions: Sequence[DesiredVersion], situation: Situation) -> list[DesiredVersion]:
    """Return what may load now: as many as there are slots, and what fits beside all that lives, the dying included."""
    limits = situation.limits
    slots = limits.load_slots - sum(_has_slot(runner) for runner in situation.runners)
    room_bytes = limits.budget_bytes - sum(situation.held_bytes(runner) for runner in situation.runners)
    started: list[DesiredVersion] = []
    for version in versions:
        need_bytes = situation.need_bytes(version)
        if len(started) < slots and (need_bytes <= room_bytes or not limits.budget_bytes):
            room_bytes -= need_bytes
            started.append(version)
    return started


def _renewal(situation: Situation) -> tuple[list[DesiredVersion], list[str]]:
    """Return what to start in place of an outdated runner, or which of them must make room for that first.

    One at a time, and only while nothing else loads: the machine serves meanwhile.
    """
    if any(runner.state is not RunnerState.READY for runner in situation.runners):
        return [], []

    for version, outdated in renewable(situation):
        start = _startable([version], situation)
        return start, [] if start else [outdated.address]
    return [], []


def _has_slot(runner: RunnerView) -> bool:
    return runner.state is RunnerState.LOADING and runner.loading_s <= SLOT_S


def _is_hung(runner: RunnerView, situation: Situation) -> bool:
    """Tell a runner that is silent, or drains or loads for ever: a model may loop while its runner still answers."""
    limits = situation.limits
    is_draining = runner.state is RunnerState.DRAINING
    return (
        runner.silent_s > limits.silence_s
        or runner.loading_s > limits.load_s
        or (is_draining and runner.draining_s > limits.drain_s + DRAIN_MARGIN_S)
    )
