"""What each step of a verification takes: seconds, and resident memory at its end and at its peak."""

import os
import time
from dataclasses import dataclass

# Sets the high-water mark of resident memory back to what is resident now; see proc(5).
_RESET_PEAK = b"5"


@dataclass(frozen=True, kw_only=True)
class StepUse:
    """What one step took; bytes are of the whole process."""

    seconds: float
    bytes_before: int
    bytes_after: int
    bytes_peak: int

    @property
    def added_at_peak(self) -> int:
        """Return by how much the step raised the resident memory at its peak."""
        return max(0, self.bytes_peak - self.bytes_before)


class Meter:
    """Measures one step at a time. Linux only.

    Opens what it reads on construction: a process that has given its rights up may not open it any more.
    """

    def __init__(self) -> None:
        self._status = os.open("/proc/self/status", os.O_RDONLY)
        self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self.uses: dict[str, StepUse] = {}
        self._begin("")

    def begin(self, step: str) -> None:
        """End the step that runs and begin another."""
        self._end()
        self._begin(step)

    def close(self) -> None:
        """End the step that runs, and let go of the files."""
        self._end()
        os.close(self._status)
        os.close(self._clear)

    def _begin(self, step: str) -> None:
        os.pwrite(self._clear, _RESET_PEAK, 0)
        self._step, self._before, self._started = step, self._read("VmRSS"), time.perf_counter()

    def _end(self) -> None:
        seconds = time.perf_counter() - self._started
        self.uses[self._step] = StepUse(
            seconds=seconds, bytes_before=self._before, bytes_after=self._read("VmRSS"), bytes_peak=self._read("VmHWM")
        )

    def _read(self, field: str) -> int:
        return read_kib(os.pread(self._status, 8192, 0), field) * 1024


def read_kib(status: bytes, field: str) -> int:
    """Return a field of /proc/PID/status that counts kB."""
    return int(status.partition(f"\n{field}:".encode())[2].split(maxsplit=1)[0])
