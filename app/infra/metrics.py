"""Prometheus metrics across processes: each service writes to a folder of its own, one scrape reads them all.

prometheus_client keeps one memory-mapped file per process and metric type (`counter_PID.db`). A dead process's
counters are folded into `counter_folded.db`, so that totals never fall and files never pile up. Gauges of mode `max`
last as well: what they say is the highest value there ever was.
"""

import fcntl
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# How the values that outlive their process come together. Other gauges say how a living process is, and go with it.
LASTING: Mapping[str, Callable[[float, float], float]] = {
    "counter": operator.add,
    "histogram": operator.add,
    "summary": operator.add,
    "gauge_max": max,
}

PROBLEMS = Counter("galley_problems", "Failures answered to clients, by their code.", ["code"])


def collect(metrics_dir: Path, own: CollectorRegistry = REGISTRY) -> bytes:
    """Return all services' metrics in Prometheus' text format.

    `metrics_dir` holds one folder per service. Without any metrics file (a lone process that was not told to
    share) `own` is what there is.
    """
    if next(metrics_dir.glob("*/*.db"), None) is None:
        return generate_latest(own)

    registry = CollectorRegistry()
    registry.register(_FolderCollector(metrics_dir))
    return generate_latest(registry)


def merge_folder(directory: Path) -> list[Metric]:
    """Return the metrics of one service, summed over its processes; none before it has written any."""
    return list(_merged([directory])) if directory.is_dir() else []


def fold_dead_process(directory: Path, pid: int) -> None:
    """Fold a dead process's counters, histograms and highest values into files of their own; drop its other gauges."""
    with _locked(directory, fcntl.LOCK_EX):
        for kind, combine in LASTING.items():
            _fold(directory / f"{kind}_{pid}.db", directory / f"{kind}_folded.db", combine)
        for gauge in directory.glob(f"gauge_*_{pid}.db"):
            gauge.unlink()


def fold_dead_processes(directory: Path) -> None:
    """Fold every file in `directory` whose process is gone: what a killed parent could not do."""
    pids = {path.stem.rpartition("_")[2] for path in directory.glob("*.db")}
    for pid in pids:
        if pid.isdigit() and not Path("/proc", pid).exists():
            fold_dead_process(directory, int(pid))


class _FolderCollector(Collector):
    """Merges the files of all services' folders, none of which is folded meanwhile."""

    def __init__(self, metrics_dir: Path) -> None:
        self._folders = sorted(path for path in metrics_dir.iterdir() if path.is_dir())

    def collect(self) -> Iterable[Metric]:
        return _merged(self._folders)


def _merged(folders: Sequence[Path]) -> Iterable[Metric]:
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(_locked(folder, fcntl.LOCK_SH))
        # Empty for a moment at its birth, and for ever where its process was killed in that moment.
        files = [str(path) for folder in folders for path in folder.glob("*.db") if path.stat().st_size]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files, accumulate=True)
        return merged


@contextmanager
def _locked(directory: Path, operation: int) -> Iterator[None]:
    """Hold the folder's lock: without it a scrape could see a dead process's values twice, or not at all."""
    with (directory / ".lock").open("a") as lock:
        fcntl.flock(lock, operation)
        yield


def _fold(dead: Path, folded: Path, combine: Callable[[float, float], float]) -> None:
    if not dead.exists():
        return
    if dead.stat().st_size == 0:
        dead.unlink()
        return

    total = MmapedDict(str(folded))
    try:
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(dead)):
            before, _ = total.read_value(key)
            total.write_value(key, combine(before, value), timestamp)
    finally:
        total.close()
    with suppress(FileNotFoundError):
        dead.unlink()
