"""Who may have memory when not all can: a pure function of what runs, what should run, and the budget.

Pinned versions and those that stand in for one still loading are never evicted. Callers that wait come next, the
longest wait first: for them the least recently used runners go. What is merely named starts while there is room.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.services.catalog import DesiredVersion

MIB = 2**20
# What nobody waits for leaves some room: were it filled to the brim, the next fluctuation would evict somebody.
FILL = 0.95
NO_ROOM = "The memory budget has no room for it beside what was used more lately; a call makes room."
NO_ROOM_BESIDE_FIXED = "The memory budget has no room for it beside the versions that are pinned or cannot go yet."


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """One runner that lives (it has an `address`) or should: what it needs, and how much it is needed."""

    version: DesiredVersion
    need_bytes: int
    """How much more memory is held because of it."""
    held_bytes: int = 0
    """What a living one is counted with: more than `need_bytes`, for what it shares stays when it goes."""
    address: str = ""
    is_fixed: bool = False
    """Whether it may never be evicted."""
    is_settled: bool = True
    """Whether it may be evicted by now: what was just loaded first gets its turn."""
    unused_s: float = float("inf")
    """Seconds since its last row."""
    waited_s: float | None = None
    """How long callers have waited for it; None when nobody does."""


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """What to start as soon as memory is free, in this order; what to evict; what gets nothing, and why."""

    start: Sequence[DesiredVersion] = ()
    evict: Sequence[str] = ()
    held_back: Mapping[DesiredVersion, str] = field(default_factory=dict)
    oversized: Mapping[DesiredVersion, str] = field(default_factory=dict)
    """Larger than the whole budget: they fail, whatever else runs."""


def allot(tenants: Sequence[Tenant], budget_bytes: int, *, residue_bytes: int = 0) -> Allotment:
    """Divide the budget; 0 is without a limit.

    What starts, together with what is neither evicted nor about to be, fits into the budget. `residue_bytes` is what
    the tenants will be counted with besides once those that leave already, who are no tenants, are gone.
    """
    running = [tenant for tenant in tenants if tenant.address]
    missing = [tenant for tenant in tenants if not tenant.address]
    if not budget_bytes:
        return Allotment(start=[tenant.version for tenant in missing])

    fitting = [tenant for tenant in missing if tenant.need_bytes <= budget_bytes]
    urgent = sorted((tenant for tenant in fitting if _is_urgent(tenant)), key=_urgency)
    others = sorted((tenant for tenant in fitting if not _is_urgent(tenant)), key=lambda tenant: tenant.unused_s)
    room_bytes = budget_bytes - residue_bytes
    coming, blocked = _admit(urgent, room_bytes - _held(tenant for tenant in running if tenant.is_fixed))
    evicted = _evict(running, room_bytes - _needed(coming), budget_bytes)
    kept_bytes = _held(running) - _needed(evicted) + residue_bytes
    filling, waiting = _admit(others, int(budget_bytes * FILL) - kept_bytes - _needed(coming))
    return Allotment(
        start=[tenant.version for tenant in (*coming, *filling)],
        evict=[tenant.address for tenant in evicted],
        held_back=_reasons(waiting, NO_ROOM) | _reasons(blocked, NO_ROOM_BESIDE_FIXED),
        oversized={
            tenant.version: oversized_reason(tenant.need_bytes, budget_bytes)
            for tenant in missing
            if tenant not in fitting
        },
    )


def oversized_reason(need_bytes: int, budget_bytes: int) -> str:
    """Return why a version can never run within the budget."""
    return f"It needs about {need_bytes / MIB:.0f} MiB, more than all of MEMORY_BUDGET ({budget_bytes / MIB:.0f} MiB)."


def _is_urgent(tenant: Tenant) -> bool:
    return tenant.is_fixed or tenant.waited_s is not None


def _urgency(tenant: Tenant) -> tuple[bool, float]:
    return not tenant.is_fixed, -(tenant.waited_s or 0.0)


def _admit(tenants: Iterable[Tenant], room_bytes: int) -> tuple[list[Tenant], list[Tenant]]:
    """Take in order what still fits; return those taken and those left."""
    taken: list[Tenant] = []
    left: list[Tenant] = []
    for tenant in tenants:
        fits = tenant.need_bytes <= room_bytes
        room_bytes -= tenant.need_bytes if fits else 0
        (taken if fits else left).append(tenant)
    return taken, left


def _evict(running: Sequence[Tenant], room_bytes: int, budget_bytes: int) -> list[Tenant]:
    """Return who goes so that the rest fits into the room: what outgrew the budget, then the least recently used."""
    movable = [tenant for tenant in running if tenant.is_settled and not tenant.is_fixed]
    movable.sort(key=lambda tenant: (tenant.held_bytes <= budget_bytes, -tenant.unused_s))
    excess = _held(running) - room_bytes
    evicted = []
    for tenant in movable:
        if excess <= 0:
            break
        excess -= tenant.need_bytes
        evicted.append(tenant)
    return evicted


def _held(tenants: Iterable[Tenant]) -> int:
    return sum(tenant.held_bytes for tenant in tenants)


def _needed(tenants: Iterable[Tenant]) -> int:
    return sum(tenant.need_bytes for tenant in tenants)


def _reasons(tenants: Iterable[Tenant], reason: str) -> dict[DesiredVersion, str]:
    return {tenant.version: reason for tenant in tenants}
