"""The limited process from outside: started with nothing of this one's, watched by the clock, and ended.

Whatever it does, it ends in a report that was checked or in an error that says in which step it ended and why.
"""

import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

import workers
from app.errors import LimitExceeded, StoreError, UnloadableArtifact
from workers.verification.limits import VerificationLimits
from workers.verification.report import Failed, Found, Order, ReportReader, Step, to_error

logger = logging.getLogger(__name__)

# How long the process may take to import torch, on a cold and busy machine.
START_S = 120.0
# How long it may take to end once it has let go of the pipe.
END_S = 5.0
# How often a step that lasts is told again.
REMIND_S = 5.0
_CHUNK_BYTES = 65_536
_LONGEST_REMARK = 4096
_STARTING = "starting"
_ROOT = Path(workers.__path__[0]).parent


def run_limited(folder: Path, *, limits: VerificationLimits, report: Callable[[str], None]) -> Found:
    """Run the verification of `folder` in a limited process and return what it found.

    :raises StoreError: what it found wrong, or that it was ended, in which step and why.
    """
    with ExitStack() as opened:
        reports, remarks = (opened.enter_context(_pipe()) for _ in range(2))
        # Whoever writes more than the pipe holds loses it, and does not wait for a reader.
        os.set_blocking(remarks.writing.fileno(), False)
        process = opened.enter_context(_started(_order(folder, limits, reports), remarks))
        reports.writing.close()
        remarks.writing.close()
        try:
            return _Watch(process, limits, report).follow(reports.reading.fileno())
        finally:
            end_session(process)
            _log(remarks.reading)


@dataclass(frozen=True)
class _Pipe:
    reading: BinaryIO
    writing: BinaryIO


@contextmanager
def _pipe() -> Iterator[_Pipe]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as read_file, os.fdopen(writing, "wb", buffering=0) as write_file:
        yield _Pipe(read_file, write_file)


def _log(remarks: BinaryIO) -> None:
    """Log what the process said on its way: warnings of torch, or what it broke on."""
    os.set_blocking(remarks.fileno(), False)
    said = (remarks.read(_CHUNK_BYTES) or b"").decode(errors="replace").strip()
    if said:
        logger.info("the process that verified said: %s", said[-_LONGEST_REMARK:])


def _order(folder: Path, limits: VerificationLimits, reports: _Pipe) -> Order:
    return Order(
        folder=str(folder.absolute()),
        report_fd=reports.writing.fileno(),
        parent_pid=os.getpid(),
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        max_image_pixels=limits.max_image_pixels,
    )


def _started(order: Order, remarks: _Pipe) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-B", "-m", "workers.verification.child", msgspec.json.encode(order).decode()]
    # One thread each, and one heap: the threads of libraries take address space. Nothing of this process's environment
    # is handed down: secrets are in it.
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    return subprocess.Popen(  # noqa: S603 - the command is ours, word by word
        command,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=remarks.writing,
        pass_fds=[order.report_fd],
        start_new_session=True,
    )


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started: a model should not be able to, but then nobody else would."""
    # Nobody is left of it, or all that are left belong to somebody else by now.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class _Watch:
    """Reads what one process reports until it ends, or has to be ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], limits: VerificationLimits, report: Callable[[str], None]
    ) -> None:
        self._process = process
        self._limits = limits
        self._report = report
        self._reader = ReportReader()
        self._step = _STARTING
        self._until = time.monotonic() + START_S

    def follow(self, pipe: int) -> Found:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                left_s = self._until - time.monotonic()
                if left_s <= 0:
                    raise self._ended_by_clock()
                if not selector.select(min(left_s, REMIND_S)):
                    self._report(self._step)
                    continue
                data = os.read(pipe, _CHUNK_BYTES)
                if not data:
                    raise self._ended()
                for message in self._reader.feed(data):
                    match message:
                        case Step(name):
                            self._begin(name)
                        case Failed():
                            raise to_error(message)
                        case Found():
                            return message

    def _begin(self, step: str) -> None:
        if self._step == _STARTING:
            self._until = time.monotonic() + self._limits.wall_s
        self._step = step
        self._report(step)

    def _ended_by_clock(self) -> StoreError:
        if self._step == _STARTING:
            return UnloadableArtifact(f"The process that verifies did not start within {START_S:g} s; try again.")

        return LimitExceeded(f"{self._limits.too_long()}; it was ended while {self._step}.")

    def _ended(self) -> StoreError:
        """Return why the process ended without a result."""
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return UnloadableArtifact(f"The model closed the pipe of the process that verified it, while {self._step}.")

        if code == -signal.SIGXCPU:
            return LimitExceeded(f"{self._limits.too_much_cpu()}; it was ended while {self._step}.")
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        logger.warning("a verification %s while %s", how, self._step)
        return UnloadableArtifact(f"The process that verified the model {how} while {self._step}.")
