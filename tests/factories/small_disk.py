"""A disk of a few kilobytes, to be filled up."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from tests.skips import NO_MOUNT

PIECE_BYTES = 2**16


class SmallDisk:
    """A file system in memory, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        """Mount it, or change how large it is."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)], check=True)

    def fill(self) -> Path:
        """Take all room for bytes, and return the file to be removed for it."""
        filler = self.folder / "filler"
        status = os.statvfs(self.folder)
        filler.write_bytes(bytes(status.f_bavail * status.f_frsize))
        assert os.statvfs(self.folder).f_bavail == 0
        return filler

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Leave no byte of it free for the length of the block, though others write there meanwhile."""
        filler = self.folder / "filler"
        try:
            with filler.open("xb", buffering=0) as file:
                _take_all(file)
            yield
        finally:
            filler.unlink()

    def allow_files(self, count: int) -> None:
        """Leave room for so many files besides those that are there."""
        status = os.statvfs(self.folder)
        self.mount(f"remount,nr_inodes={status.f_files - status.f_ffree + count}")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a disk of that size, such as `100k`, for the length of the block; skip where nobody may mount."""
    folder.mkdir()
    disk = SmallDisk(folder)
    try:
        disk.mount(f"size={size}")
    except subprocess.CalledProcessError as err:
        pytest.skip(f"{NO_MOUNT}: {err}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _take_all(file: FileIO) -> None:
    while True:
        try:
            file.write(bytes(PIECE_BYTES))
        except OSError as err:
            if err.errno != errno.ENOSPC:
                raise
            return
