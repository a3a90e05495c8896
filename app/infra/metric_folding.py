"""What a dead process leaves in its metrics files: counts go on in a file of their own, the rest goes with it.

So totals never fall, and files never pile up. Each count is folded once, even if whoever folds is killed meanwhile: the
new file takes the old one's place whole, and says last whose counts it took in.
"""

import fcntl
import logging
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from app.infra.metric_entries import MARK_KEY, Value, read_entries, write_entries
from app.infra.metric_room import FULL

logger = logging.getLogger(__name__)

# Whoever folds has other things to do, gunicorn's master above all: what a stuck reader holds is folded another time.
PATIENCE_S: Final = 1.0
_STEP_S: Final = 0.02
# A process makes its file and then maps it into its memory: one so new may be about to.
_NEW_S: Final = 10.0


def _add(before: Value, value: Value) -> Value:
    return before[0] + value[0], 0.0


def _newest(before: Value, value: Value) -> Value:
    return max(before, value, key=operator.itemgetter(1))


# How the values that outlive their process come together, each with the time it was set. Other gauges say how a living
# process is, and go with it.
LASTING: Final[Mapping[str, Callable[[Value, Value], Value]]] = {
    "counter": _add,
    "histogram": _add,
    "summary": _add,
    "gauge_max": max,
    "gauge_mostrecent": _newest,
}


def fold_dead_process(directory: Path, pid: int, *, patience_s: float = PATIENCE_S) -> None:
    """Fold a dead process's counts, highest and newest values into files of their own; drop its other gauges.

    While others read the folder for longer than `patience_s`, or the disk is full, its files stay for
    `fold_dead_processes`.
    """
    with locked_within(directory, patience_s) as is_locked:
        if not is_locked:
            logger.warning("what process %d counted in %s is folded later: the folder is in use", pid, directory.name)
            return

        try:
            _fold_files(directory, pid)
        except OSError as err:
            if err.errno not in FULL:
                raise
            # Nothing is lost: gunicorn's master has others to look after.
            logger.warning("what process %d counted in %s is folded later: the disk is full", pid, directory.name)


def _fold_files(directory: Path, pid: int) -> None:
    for kind, combine in LASTING.items():
        dead = directory / f"{kind}_{pid}.db"
        if dead.exists():
            _fold(dead, kind, combine)
    for gauge in directory.glob(f"gauge_*_{pid}.db"):
        gauge.unlink()


def fold_dead_processes(directory: Path, *, patience_s: float = PATIENCE_S) -> None:
    """Fold every file in `directory` whose process is gone: what a killed parent could not do."""
    paths: dict[str, list[Path]] = defaultdict(list)
    for path in directory.glob("*.db"):
        paths[path.stem.rpartition("_")[2]].append(path)
    for pid, files in paths.items():
        if pid.isdigit() and not _lives(pid, files):
            fold_dead_process(directory, int(pid), patience_s=patience_s)


def _lives(pid: str, files: Sequence[Path]) -> bool:
    """Tell whether the process that wrote the files lives: another one may have its number by now."""
    if not Path("/proc", pid).exists():
        return False

    try:
        maps = Path("/proc", pid, "maps").read_text(errors="replace")
        is_new = time.time() - max(path.stat().st_mtime for path in files) < _NEW_S
    except PermissionError:
        # Somebody else's process.
        return False
    except (FileNotFoundError, ProcessLookupError):
        # It ended, or its files were folded, this very moment.
        return True

    return is_new or any(f"/{path.parent.name}/{path.name}\n" in maps for path in files)


@contextmanager
def folder_in_use(directory: Path) -> Iterator[None]:
    """Let nothing be folded meanwhile: a dead process's values would be seen twice, or not at all."""
    with (directory / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def locked_within(directory: Path, patience_s: float) -> Iterator[bool]:
    """Lock the folder against readers and yield True; False if that takes too long."""
    deadline = time.monotonic() + patience_s
    with (directory / ".lock").open("a") as lock:
        while not (is_locked := _try_lock(lock)) and time.monotonic() < deadline:
            time.sleep(_STEP_S)
        yield is_locked


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False

    return True


def _fold(dead: Path, kind: str, combine: Callable[[Value, Value], Value]) -> None:
    folded = dead.with_name(f"{kind}_folded.db")
    total = read_entries(folded)
    if MARK_KEY in total:
        _end_earlier(folded.with_name(f"{kind}_{total[MARK_KEY][0]:.0f}.db"), inode=total[MARK_KEY][1])
    if not dead.exists():
        return

    mark = (float(dead.stem.rpartition("_")[2]), float(dead.stat().st_ino))
    for key, value in read_entries(dead).items():
        total[key] = combine(total[key], value) if key in total else value
    total[MARK_KEY] = mark
    write_entries(folded, total)
    dead.unlink()


def _end_earlier(folded_last: Path, *, inode: float) -> None:
    """Remove the file that was folded last, if whoever did it was killed before it could."""
    if folded_last.exists() and folded_last.stat().st_ino == inode:
        folded_last.unlink()
