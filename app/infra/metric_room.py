"""Metrics files whose room is taken when they are made: a full disk costs counts then, and no process.

prometheus_client maps files with holes into memory. The kernel looks for room for a hole when it is first written to,
and a process that writes where there is none gets SIGBUS: a full disk would end web workers and runners one by one.
"""

import errno
import logging
import mmap
import os
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

import prometheus_client.values
from prometheus_client import mmap_dict

logger = logging.getLogger(__name__)

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# Taken for good by each process and kind; prometheus_client's own is a megabyte, of holes.
_FIRST_BYTES: Final = 64 * 2**10
# What an entry takes besides its key: its length, spaces, value and time.
_BESIDES_BYTES: Final = 32


class RoomyDict(mmap_dict.MmapedDict):
    """A file of values that has its room; where the disk has none, it lies in this process's memory alone."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if read_mode or _has_room(Path(filename)):
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
            return

        with _memory_file(_FIRST_BYTES) as file:
            super().__init__(f"/proc/self/fd/{file.fileno()}")  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + _BESIDES_BYTES > self._capacity:
            self._grow()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _grow(self) -> None:
        self._capacity *= 2
        if not _try_room(self._f, self._capacity):
            self._f = _memory_file(self._capacity, bytes(self._m))
        self._m = mmap.mmap(self._f.fileno(), self._capacity)


def take_room_for_metrics() -> None:
    """Have all metrics files that this process and its children make from now on be such."""
    prometheus_client.values.MmapedDict = RoomyDict  # type: ignore[attr-defined]


def take_room(path: Path, keys: Collection[str]) -> None:
    """Make a file that has room for entries of these keys.

    :raises OSError: when the disk has none.
    """
    size_bytes = _BESIDES_BYTES + sum(len(key.encode()) + _BESIDES_BYTES for key in keys)
    with path.open("ab") as file:
        # Whole pages: readers take a file for a row of numbers.
        os.posix_fallocate(file.fileno(), 0, size_bytes + -size_bytes % mmap.PAGESIZE)


def _has_room(path: Path) -> bool:
    with path.open("ab") as file:
        if _try_room(file, max(_FIRST_BYTES, path.stat().st_size)):
            return True

    # What came of it. Not cut short: a scrape may be reading it just now.
    path.unlink()
    return False


def _try_room(file: BinaryIO, size_bytes: int) -> bool:
    """Have a file's room taken, holes included; return False where the disk has none."""
    try:
        os.posix_fallocate(file.fileno(), 0, size_bytes)
    except OSError as err:
        if err.errno not in FULL:
            raise
        logger.warning("the disk is full: no scrape tells what process %d counts until it is replaced", os.getpid())
        return False

    return True


def _memory_file(size_bytes: int, content: bytes = b"") -> BinaryIO:
    """Return a file that lies in memory, and goes with whoever has it open."""
    file = os.fdopen(os.memfd_create("galley-metrics"), "r+b", buffering=0)
    file.write(content)
    file.truncate(size_bytes)
    return file
