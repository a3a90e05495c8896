"""What the plan looks at: the wishes, the runners as they are, the limits, and what is known of versions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.wishes import Wishes

SERVING = (RunnerState.LOADING, RunnerState.READY)
# A runner that had a row within this time is busy. Runners tell once per heartbeat.
BUSY_S = 1.0
# How long a new runner that nobody has called yet, and one that is busy, keep their memory when others wait for it.
STAY_S = 2.0
TURN_S = 5.0
# What runners share with the forkserver and each other: torch, imported. Measured on Linux, torch 2.13 for the CPU.
SHARED_BYTES = 250 * 2**20


@dataclass(frozen=True, kw_only=True)
class RunnerView:
    """One runner. All times are seconds up to now."""

    version: DesiredVersion
    address: str
    state: RunnerState
    memory_bytes: int = 0
    """Its fair share of what it shares included (PSS); 0 before it was weighed."""
    private_bytes: int = 0
    """What is its alone."""
    queued_rows: int = 0
    silent_s: float = 0.0
    """Since its last sign of life."""
    idle_s: float = 0.0
    """Since its last row, or its birth."""
    ready_s: float = 0.0
    """Since it became READY; 0 if it never did."""
    draining_s: float = 0.0
    """Since it was told to drain."""
    loading_s: float = 0.0
    """Since it was born, while it is LOADING."""
    is_outdated: bool = False
    """Whether it is to be replaced by one of today's code and settings."""

    @property
    def is_settled(self) -> bool:
        """Whether it had its turn: it served and is idle, or has been READY for long enough."""
        if self.state is not RunnerState.READY:
            return False
        if self.queued_rows or self.idle_s < BUSY_S:
            return self.ready_s >= TURN_S

        return self.idle_s < self.ready_s or self.ready_s >= STAY_S


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the controller is, how many versions it loads at a time, how much memory it may give away."""

    load_slots: int
    idle_s: float
    silence_s: float
    drain_s: float
    load_s: float
    budget_bytes: int = 0
    """0 is without a limit."""


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What is known of a version that could be started."""

    may_start: bool = True
    is_new: bool = True
    """Whether it was never seen READY."""
    private_bytes: int = 0
    """What its runner held alone when it was last weighed, or what one is expected to."""
    unused_s: float = float("inf")
    waited_s: float | None = None
    """How long callers have waited for it; None when nobody does."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything at one moment, and what follows from it."""

    wishes: Wishes
    runners: Sequence[RunnerView]
    limits: Limits
    prospect: Callable[[DesiredVersion], Prospect]

    @cached_property
    def pinned(self) -> set[DesiredVersion]:
        """The versions that stay whatever is called."""
        return {version for version in self.wishes.versions if version.is_pinned}

    @cached_property
    def awaited(self) -> set[DesiredVersion]:
        """The desired versions that no runner has brought to READY yet."""
        ready = {runner.version for runner in self.runners if runner.state is RunnerState.READY}
        return {each for each in self.wishes.versions if each not in ready and self.prospect(each).is_new}

    def stands_in(self, runner: RunnerView) -> bool:
        """Tell whether it answers for an awaited version: one that an alias moved to, or its own reissue."""
        refs = self.wishes.stand_ins.get(runner.version.ref, frozenset())
        if runner.version not in self.wishes.versions:
            refs |= {runner.version.ref}
        return any(version.ref in refs for version in self.awaited)

    def has_stand_in(self, version: DesiredVersion) -> bool:
        """Tell whether an awaited version's callers are answered by another one meanwhile."""
        return version in self.awaited and any(version.ref in self._stood_in_by(runner) for runner in self.runners)

    def serving(self, version: DesiredVersion) -> list[RunnerView]:
        """Return the runners of a version that serve or are about to."""
        return [runner for runner in self.runners if runner.version == version and runner.state in SERVING]

    def held_bytes(self, runner: RunnerView) -> int:
        """Return what a runner holds. One that loads, or was not weighed yet, is counted with what it will need."""
        if runner.memory_bytes and runner.state is not RunnerState.LOADING:
            return runner.memory_bytes

        return max(runner.memory_bytes, self.prospect(runner.version).private_bytes + self._share_bytes)

    def freed_bytes(self, runner: RunnerView) -> int:
        """Return how much less all runners will hold together once this one is gone.

        What it shares stays with the others: each of N runners that share S with the forkserver is counted with
        S / (N + 1), so one less makes S / N / (N + 1) less in all.
        """
        if not runner.memory_bytes:
            return self.prospect(runner.version).private_bytes + self._share_bytes // len(self.runners)

        return runner.private_bytes + (runner.memory_bytes - runner.private_bytes) // len(self.runners)

    def residue_bytes(self, staying: int) -> int:
        """Return how much more so many of the runners are counted with once the others are gone.

        Of N runners each is counted with S / (N + 1) of what all share, of the M that stay with S / (M + 1) each.
        """
        return self._share_bytes * staying * (len(self.runners) - staying) // (staying + 1)

    def need_bytes(self, version: DesiredVersion) -> int:
        """Return how much more all runners will hold together with one of this version: `freed_bytes` backwards."""
        return self.prospect(version).private_bytes + self._share_bytes // (len(self.runners) + 2)

    @cached_property
    def _share_bytes(self) -> int:
        """Return what each runner is counted with of what all share."""
        shares = [runner.memory_bytes - runner.private_bytes for runner in self.runners if runner.memory_bytes]
        return sum(shares) // len(shares) if shares else SHARED_BYTES // (len(self.runners) + 1)

    def _stood_in_by(self, runner: RunnerView) -> frozenset[ModelRef]:
        if runner.state is not RunnerState.READY:
            return frozenset()

        return self.wishes.stand_ins.get(runner.version.ref, frozenset())
