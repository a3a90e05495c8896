"""The machine, as its kernel tells of it under /proc and /sys."""

import os
from dataclasses import dataclass
from pathlib import Path

MOST_OF_A_GROUP = "/sys/fs/cgroup"


@dataclass(frozen=True)
class Machine:
    """Reads small files of the kernel. `root` is where they lie: elsewhere in tests."""

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """Return what a file says, without the space around it; None where there is none, or it is not ours to read."""
        try:
            return (self.root / path.lstrip("/")).read_text("ascii", "replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Return the number that a file holds; None where it holds none."""
        text = self.text(path)
        return int(text) if text is not None and text.isdecimal() else None

    def memory(self, name: str) -> int | None:
        """Return a member of /proc/meminfo in bytes."""
        for line in (self.text("/proc/meminfo") or "").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
        return None

    @property
    def memory_bytes(self) -> int | None:
        """The memory that processes here may take: the machine's, or less where a control group says so."""
        known = [self.memory("MemTotal"), self.number(f"{MOST_OF_A_GROUP}/memory.max")]
        return min((size for size in known if size is not None), default=None)

    @property
    def cores(self) -> float:
        """The cores that processes here may use: those of this process, or less where a control group says so."""
        quota, _, period = (self.text(f"{MOST_OF_A_GROUP}/cpu.max") or "max").partition(" ")
        own = float(len(os.sched_getaffinity(0)))
        return min(own, int(quota) / int(period)) if quota.isdecimal() and period.isdecimal() else own
