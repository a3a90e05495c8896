"""When a web worker makes way: after so many requests, once its successor had time to start; or without a master."""

import os
import signal
from typing import Any, Final

from app.infra.clock import Clock

HANDOVER_S: Final = 5.0
"""How long a worker that has served enough serves on: its successor imports the application meanwhile."""
CLOSING_S: Final = 4.0
"""What a worker has beyond the time in which it finishes requests: to notice that it is to end (a second), and to write
what only it knows. Whoever it still keeps waiting is let go before its master kills it."""


class Retirement:
    """One worker's. The master starts the successor first, so that as many workers serve at any time as before."""

    def __init__(self, *, most_requests: int, master_pid: int, clock: Clock | None = None) -> None:
        self._most_requests = most_requests
        self._master_pid = master_pid
        self._clock = clock or Clock()
        self._until: float | None = None

    def is_due(self, served: int) -> bool:
        """Say whether a worker that has served so many requests is to drain now; ask often."""
        if self._is_orphan():
            return True
        if served < self._most_requests:
            return False

        if self._until is None:
            self._until = self._clock.monotonic() + HANDOVER_S
            os.kill(self._master_pid, signal.SIGTTIN)
        return self._clock.monotonic() >= self._until

    def _is_orphan(self) -> bool:
        # Whoever is the parent now, it is nobody's business.
        return os.getppid() != self._master_pid


def give_place_back(server: Any, *, usual: int) -> None:
    """Let the master forget the place of one worker that ended, if it has more than usual: its successor has it."""
    if server.num_workers > usual:
        server.num_workers -= 1
