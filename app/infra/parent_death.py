"""Ties the life of this process to its parent's, so that nothing outlives a parent that was killed."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def end_with_parent(parent_pid: int, end_signal: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send this process `end_signal` when its parent ends; the wish survives exec, not fork.

    Linux only; elsewhere this does nothing. `parent_pid` is what the caller takes for its parent: if that one is
    gone already, the signal is raised here and now.
    """
    _prctl(_PR_SET_PDEATHSIG, end_signal)
    if os.getppid() != parent_pid:
        signal.raise_signal(end_signal)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, instead of init. Linux only."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
