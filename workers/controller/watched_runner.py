"""One runner as the controller sees it: its process, its last words, what it was told."""

import socket
import time
from dataclasses import dataclass
from math import inf

from app.inference.directory import RunnerRecord
from app.inference.messages import RunnerState, RunnerStatus
from app.services.catalog import DesiredVersion
from workers.controller.contact import RunnerContact
from workers.controller.memory import NO_FOOTPRINT, measure
from workers.controller.runner_files import RunnerNote
from workers.controller.runner_process import RunnerProcess
from workers.controller.situation import RunnerView

HOST = socket.gethostname()
# From calling a runner DRAINING in the directory to telling it so.
NOTICE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class EndedRunner:
    """A runner that is gone: why, how long it had served, and whether it was told to go."""

    version: DesiredVersion
    reason: str
    served_s: float
    was_told: bool


class WatchedRunner:
    """A living runner. All of its times are monotonic but the note's, which are unix seconds."""

    def __init__(self, note: RunnerNote, process: RunnerProcess, contact: RunnerContact) -> None:
        self.note = note
        self.process = process
        self.contact = contact
        self.status: RunnerStatus | None = None
        self.ready_at: float | None = None
        self.footprint = NO_FOOTPRINT
        self.weighed_at = -inf
        self._draining_at: float | None = None
        self._is_told = False
        # An adopted one that still loads gets the whole time again.
        self._known_since = time.monotonic()
        self.is_killed = False

    @property
    def state(self) -> RunnerState:
        """What the runner says of itself; LOADING before its first word, DRAINING from when it was told to."""
        if self._draining_at is not None:
            return RunnerState.DRAINING

        return RunnerState.LOADING if self.status is None else self.status.state

    @property
    def is_draining(self) -> bool:
        """Whether the controller has told it to end."""
        return self._draining_at is not None

    @property
    def reason(self) -> str:
        """Why it failed, in its own words; empty when it did not."""
        return "" if self.status is None else self.status.reason

    @property
    def served_s(self) -> float:
        """How long it has been READY; 0 if it never was."""
        return 0.0 if self.ready_at is None else time.monotonic() - self.ready_at

    @property
    def loaded_s(self) -> float:
        """How long it took from its start to READY, or has taken so far."""
        return (time.monotonic() if self.ready_at is None else self.ready_at) - self._known_since

    def hear(self) -> bool:
        """Read what the runner said; true when its state has changed."""
        status = self.contact.read()
        if status is None:
            return False

        before = self.state
        self.status = status
        if status.state is RunnerState.READY and self.ready_at is None:
            self.ready_at = time.monotonic()
        return self.state is not before

    def drain(self) -> None:
        """Call the runner DRAINING, which `end_if_due` makes true."""
        self._draining_at = self._draining_at or time.monotonic()

    def end_if_due(self) -> None:
        """Tell a draining runner to end, once callers had time to read that it is.

        Requests that reach a runner between its last look at the socket and its end would be lost.
        """
        if self._draining_at is None or self._is_told or time.monotonic() - self._draining_at < NOTICE_S:
            return

        self._is_told = True
        self.process.terminate()

    def kill(self) -> None:
        """End the runner now; its end is seen like any other."""
        self.is_killed = True
        self.process.kill()

    def weigh(self) -> None:
        """Measure the runner's memory."""
        self.footprint = measure(self.process.pid)
        self.weighed_at = time.monotonic()

    def ended(self, how: str) -> EndedRunner:
        """Return what is remembered of it: its own reason, or `how` it ended."""
        return EndedRunner(
            version=self.note.desired,
            reason=self.reason or how,
            served_s=self.served_s,
            was_told=self.is_draining,
        )

    def view(self) -> RunnerView:
        """Return what the plan looks at."""
        now = time.monotonic()
        return RunnerView(
            version=self.note.desired,
            address=self.note.address,
            state=self.state,
            memory_bytes=self.footprint.share_bytes,
            private_bytes=self.footprint.private_bytes,
            queued_rows=0 if self.status is None else self.status.queued_rows,
            silent_s=self.contact.silent_s,
            ready_s=self.served_s,
            idle_s=0.0 if self.status is None else self.status.idle_s,
            loading_s=now - self._known_since if self.state is RunnerState.LOADING else 0.0,
            draining_s=0.0 if self._draining_at is None else now - self._draining_at,
            is_outdated=self.note.is_outdated,
        )

    def record(self) -> RunnerRecord:
        """Return what the directory says of the runner."""
        status = self.status
        return RunnerRecord(
            name=self.note.name,
            version=self.note.version,
            digest=self.note.digest,
            state=self.state,
            address=self.note.address,
            pid=self.process.pid,
            host=HOST,
            reason=self.reason,
            queued_rows=0 if status is None else status.queued_rows,
            capacity_rows=0 if status is None else status.capacity_rows,
            memory_bytes=self.footprint.share_bytes,
            rows_per_s=0.0 if status is None else status.rows_per_s,
            load_s=0.0 if status is None else status.load_s,
            started_at=self.note.started_at,
        )
