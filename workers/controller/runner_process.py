"""A runner's process: started from the forkserver or adopted, watched by a pid descriptor, ended by signals."""

import logging
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from workers.controller.forkserver import CONTEXT
from workers.runner.process import RunnerSpec, run_runner

logger = logging.getLogger(__name__)

# How long the forkserver may take to pass on the exit status of a process that has ended.
STATUS_WAIT_S = 0.5
START_TICKS_FIELD = 19


class RunnerProcess:
    """One living process. `fileno()` becomes readable at its end, whoever its parent is."""

    def __init__(self, pid: int, pid_fd: int, child: ForkServerProcess | None = None) -> None:
        self.pid = pid
        self._pid_fd = pid_fd
        self._child = child

    @classmethod
    def start(cls, spec: RunnerSpec) -> "RunnerProcess":
        """Fork a runner; returns as soon as its pid is known.

        :raises OSError: when the forkserver ended or could not fork, or the runner has ended already.
        """
        child = CONTEXT.Process(target=run_runner, args=(spec,))
        try:
            child.start()
        except EOFError as err:
            raise ConnectionResetError("the forkserver ended before it had forked a runner") from err

        assert child.pid is not None
        try:
            return cls(child.pid, os.pidfd_open(child.pid), child)
        except OSError:
            child.kill()
            raise

    @classmethod
    def adopt(cls, pid: int, started_ticks: int | None = None) -> "RunnerProcess | None":
        """Watch a process another controller started; None if it has ended or the pid is another's by now."""
        try:
            pid_fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return None

        # Asked after the descriptor is open: it cannot change its process any more.
        if started_ticks is not None and read_start_ticks(pid) != started_ticks:
            os.close(pid_fd)
            return None

        return cls(pid, pid_fd)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._pid_fd

    def terminate(self) -> None:
        """Ask the runner to drain: it refuses new rows, answers those it holds, and ends."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self._send(signal.SIGKILL)

    def close(self) -> str:
        """Let go of an ended process and say how it ended."""
        os.close(self._pid_fd)
        if self._child is None:
            return "it ended"

        self._child.join(STATUS_WAIT_S)
        code = self._child.exitcode
        if code is not None:
            self._child.close()
        return _describe(code)

    def _send(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self._pid_fd, number)
        except ProcessLookupError:
            logger.debug("process %d had ended before %s", self.pid, number.name)


def read_start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 if it has ended. Linux only."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0

    # The title, in brackets, may hold spaces and brackets itself.
    return int(stat.rpartition(")")[2].split()[START_TICKS_FIELD])


def _describe(code: int | None) -> str:
    if code is not None and code < 0:
        return f"it was ended by {signal.Signals(-code).name}"

    return "it ended" if code is None else f"it ended with exit code {code}"
