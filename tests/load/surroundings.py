"""What else the machine did while something was measured: a figure taken beside other work says less."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

STAT = Path("/proc/stat")
# user nice system idle iowait irq softirq steal, in ticks; guests are in `user` already.
IDLE, STOLEN = slice(3, 5), 7
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Shares of the whole machine's CPU time that went elsewhere, and the load average at the beginning."""

    load_average: float
    others: float
    stolen: float

    def __str__(self) -> str:
        return (
            f"load average before {self.load_average:.2f}; of the machine's CPU, other processes took "
            f"{self.others:.1%}, the hypervisor {self.stolen:.1%}"
        )


@dataclass(frozen=True, kw_only=True)
class Look:
    """CPU seconds since boot: all busy ones, stolen ones, and those of the processes measured."""

    at: float
    busy_s: float
    stolen_s: float
    own_s: float


class Watch:
    """Watches the machine from its making on. This process and all its children are what is measured."""

    def __init__(self) -> None:
        self._load_average = os.getloadavg()[0]
        self._before = look()

    def seen(self) -> Elsewhere:
        """Return what went elsewhere so far."""
        return elsewhere(self._before, look(), load_average=self._load_average)


def elsewhere(before: Look, after: Look, *, load_average: float) -> Elsewhere:
    """Return what happened between two looks.

    Other processes are what is left of the busy time, so those that came and went between the looks count as well.
    Which they were is not told: that is the machine's business.
    """
    available_s = max(1e-9, (after.at - before.at) * _cores())
    left_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return Elsewhere(
        load_average=load_average,
        others=max(0.0, left_s / available_s),
        stolen=(after.stolen_s - before.stolen_s) / available_s,
    )


def look() -> Look:
    """Look at the machine and at every process."""
    ticks = [int(word) for word in STAT.read_text("ascii").splitlines()[0].split()[1:9]]
    family = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    processes = psutil.process_iter(["cpu_times"])
    # None where they may not be read.
    own = [process.info["cpu_times"] for process in processes if process.pid in family and process.info["cpu_times"]]
    return Look(
        at=time.monotonic(),
        busy_s=(sum(ticks) - sum(ticks[IDLE]) - ticks[STOLEN]) / TICKS_PER_S,
        stolen_s=ticks[STOLEN] / TICKS_PER_S,
        # With the children that ended: their time stays in the family.
        own_s=sum(times.user + times.system + times.children_user + times.children_system for times in own),
    )


def _cores() -> int:
    return os.cpu_count() or 1
