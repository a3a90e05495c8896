"""The launcher's processes: how they are started, waited for, reaped and, in the end, all gone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial

import psutil

from app.infra.parent_death import adopt_orphans, end_with_parent
from deploy.stack.errors import StopRequested

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
WATCHED = STOP_SIGNALS | {signal.SIGCHLD}
# How long processes that outlived their parent get to end by themselves.
SWEEP_S = 10.0
STEP_S = 0.5


class Children:
    """Every process below this one. Descendants whose parent dies come to this process, so none is ever lost.

    The watched signals stay blocked and are taken one at a time by `pause`: nothing runs inside a handler.
    Use it in the main thread, as a context.
    """

    def __init__(self) -> None:
        self._own: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Children":
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        adopt_orphans()
        return self

    def __exit__(self, *_: object) -> None:
        self.sweep()
        # A third Ctrl-C must not become a traceback after all is done.
        while self._next_signal(0) is not None:
            continue
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    def start(self, command: Sequence[str], *, keep: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own (Ctrl-C is for the launcher), which ends when this one does.

        `keep` are descriptors it inherits.
        """
        child = subprocess.Popen(  # noqa: S603 - commands are the launcher's own
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=keep,
            # This process has one thread, which is what makes preexec_fn safe.
            preexec_fn=partial(_settle_child, os.getpid()),  # noqa: PLW1509
        )
        self._own[child.pid] = child
        return child

    def pause(self, seconds: float) -> None:
        """Wait until a child ends or the time is over, whichever is first; reap what has ended.

        :raises StopRequested: on Ctrl-C and its like.
        """
        number = self._next_signal(seconds)
        self._reap()
        if number in STOP_SIGNALS:
            raise StopRequested(number)

    def wait(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `is_done`; say whether it came to that in time.

        :raises StopRequested: on Ctrl-C and its like.
        """
        deadline = time.monotonic() + timeout_s
        while not is_done():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self.pause(min(left_s, STEP_S))
        return True

    def sweep(self) -> None:
        """End every process below this one: asked first, killed when it does not listen."""
        if self._end_all(signal.SIGTERM, SWEEP_S):
            return

        self._end_all(signal.SIGKILL, SWEEP_S)

    def _end_all(self, number: signal.Signals, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        told: set[int] = set()
        while living := self._living():
            if time.monotonic() > deadline:
                return False
            for process in living:
                if process.pid not in told:
                    _signal(process, number)
                    told.add(process.pid)
            signal.sigtimedwait({signal.SIGCHLD}, STEP_S)
        return True

    def _living(self) -> list[psutil.Process]:
        self._reap()
        return psutil.Process().children(recursive=True)

    def _reap(self) -> None:
        """Collect ended processes: this one's own by their handle, adopted ones so that none stays a zombie."""
        while (ended := self._peek_ended()) is not None:
            own = self._own.pop(ended, None)
            if own is None:
                os.waitpid(ended, 0)
            else:
                own.wait()

    def _peek_ended(self) -> int | None:
        try:
            result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None

        return None if result is None else result.si_pid

    def _next_signal(self, seconds: float) -> signal.Signals | None:
        info = signal.sigtimedwait(WATCHED, max(seconds, 0.0))
        return None if info is None else signal.Signals(info.si_signo)


def _settle_child(parent_pid: int) -> None:
    end_with_parent(parent_pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
