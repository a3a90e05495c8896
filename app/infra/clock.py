"""The two clocks of the machine, in one value that tests can replace."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """Wall time for what leaves the process; monotonic time for how long something took."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def utcnow(self) -> datetime:
        """Return the wall time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.now(), UTC)
