"""What each process takes of its machine, by the part of Galley that it belongs to."""

import os
import resource
import threading
import time
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge

EVERY_S: Final = 5.0
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

CPU_SECONDS: Final = Counter(
    "galley_process_cpu_seconds", "Processor time that the processes of a part took.", ["part"]
)
RESIDENT: Final = Gauge(
    "galley_process_resident_bytes",
    "Memory of a part's processes; what they share counts for each.",
    ["part"],
    multiprocess_mode="livesum",
)
PROCESSES: Final = Gauge("galley_processes", "Processes of a part that live.", ["part"], multiprocess_mode="livesum")
DESCRIPTORS: Final = Gauge(
    "galley_process_descriptors",
    "Open descriptors of the process of a part that has most.",
    ["part"],
    multiprocess_mode="livemax",
)
MOST_DESCRIPTORS: Final = Gauge(
    "galley_process_descriptors_limit",
    "Descriptors that each process of a part may have open.",
    ["part"],
    multiprocess_mode="livemostrecent",
)


class ProcessMeter:
    """Notes every few seconds what this process takes, on a thread of its own; killed, it takes the last few along."""

    def __init__(self, part: str, *, every_s: float = EVERY_S) -> None:
        self._part = part
        self._every_s = every_s
        self._cpu_s = 0.0
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-meter", daemon=True)

    def start(self) -> None:
        """Begin to note."""
        self._thread.start()

    def stop(self) -> None:
        """Note a last time, and wait for the end of it: from then on this process counts as gone."""
        self._is_ending.set()
        self._thread.join()
        for gauge in (PROCESSES, RESIDENT, DESCRIPTORS):
            gauge.labels(self._part).set(0)

    def note(self) -> None:
        """Note what this process takes now."""
        cpu_s = time.process_time()
        CPU_SECONDS.labels(self._part).inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        PROCESSES.labels(self._part).set(1)
        RESIDENT.labels(self._part).set(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES)
        DESCRIPTORS.labels(self._part).set(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        MOST_DESCRIPTORS.labels(self._part).set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

    def _run(self) -> None:
        self.note()
        while not self._is_ending.wait(self._every_s):
            self.note()
        self.note()
