"""How jobs wait for what is away: for longer each time, so many times, and telling those who poll why."""

import random
from typing import Final

from app.errors import GalleyError

# What something it needs was away for is tried again after so long, twice as long each time, up to the longest.
FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 300.0
MOST_FAULTS: Final = 12
# More doublings than that are longer than the longest.
_MOST_DOUBLINGS: Final = 10

ITS_TURN: Final = "waits: its turn"
"""The stage of a job that is to be planned after others."""
WORKER_LOST: Final = "waits: its worker was lost"
DISK: Final = "waits: the disk of jobs"
"""The stage of a job whose disk is short, or not there."""


def pause_s(faults: int) -> float:
    """Return for how long to wait after so many: with jitter, so that what stopped together does not start together."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(faults, _MOST_DOUBLINGS))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret # nosec B311


def stage_of(fault: GalleyError) -> str:
    """Return the stage of a job that waits since this happened: the same for as long as the same is away."""
    return f"waits: {fault.code}"
