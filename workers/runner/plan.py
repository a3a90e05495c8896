"""How a runner computes: what the proof measured decides between the socket's own thread and a crew."""

import math
from dataclasses import dataclass

from workers.runner.proof import Proof

# Above this per row, handing a batch to a thread costs less than what one more core brings.
HEAVY_ROW_S = 0.005


@dataclass(frozen=True, kw_only=True)
class ExecutionPlan:
    """What runs where. Costs are first guesses, in seconds of one thread."""

    is_heavy: bool
    """Heavy models decode and compute on the crew; light ones compute in the socket's thread, the crew decodes."""
    threads: int
    """Size of the crew."""
    cores: int
    """Torch threads of a heavy row that is alone."""
    batch_limit: int
    """Most rows in one batch."""
    row_cost_s: float
    """Seconds per row with the whole crew at work."""

    def share(self, waiting: int, idle: int) -> int:
        """Return how many rows one idle thread takes, so that none stays idle while rows wait."""
        return min(self.batch_limit, math.ceil(waiting / idle))


def make_plan(proof: Proof, *, threads: int, cores: int) -> ExecutionPlan:
    """Return the plan for a model as fast as `proof` says; `threads` 0 means one per core."""
    forward_s = 1.0 / proof.rows_per_s
    crew = threads or cores
    is_heavy = forward_s > HEAVY_ROW_S
    return ExecutionPlan(
        is_heavy=is_heavy,
        threads=crew,
        cores=cores,
        batch_limit=proof.best_batch,
        row_cost_s=(proof.prepare_s + forward_s) / crew if is_heavy else proof.prepare_s / crew + forward_s,
    )
