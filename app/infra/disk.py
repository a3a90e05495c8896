"""New files that a gevent worker writes without holding its hub, and the words for a disk that is full."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from app.errors import DiskFull
from app.infra.off_hub import off_hub

# So much is gathered before it is written: a thread's turn costs as much as writing a few KiB.
PIECE_BYTES: Final = 2**20
# So much is written before it is brought to the disk: at its end a file of any size has little more to wait for.
SYNCED_BYTES: Final = 8 * 2**20
RETRY_AFTER_S: Final = 60.0
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn a full disk into Galley's word for it; other failures of a disk are the operator's, and go on.

    :raises DiskFull: when there is no room, or a quota is used up.
    """
    try:
        yield
    except OSError as err:
        if err.errno not in _FULL:
            raise
        raise DiskFull("The disk has no room for what was sent.", retry_after_s=RETRY_AFTER_S) from err


def check_room(folder: Path, size_bytes: int) -> None:
    """Refuse what is larger than the room that the disk of `folder` has.

    :raises DiskFull: then.
    """
    if off_hub(shutil.disk_usage, folder).free < size_bytes:
        raise DiskFull(f"The disk has no room for {size_bytes} bytes.", retry_after_s=RETRY_AFTER_S)


class NewFile:
    """A file that is written from its start to its end, off the hub, holding at most PIECE_BYTES in memory.

    One that `is_hashed` knows its SHA-256 when it is finished: nobody has to read it again for that. The disk is asked
    each SYNCED_BYTES whether `reserve_bytes` are still free.

    :raises DiskFull: from every method, when the disk is.
    """

    def __init__(self, path: Path, *, is_hashed: bool = False, reserve_bytes: int = 0) -> None:
        self.path = path
        self.size_bytes = 0
        self._waiting = bytearray()
        self._digest = hashlib.sha256() if is_hashed else None
        self._reserve_bytes = reserve_bytes
        self._unsynced_bytes = 0
        with disk_errors():
            self._file = off_hub(_open_new, path)

    @property
    def sha256(self) -> str:
        """The digest of all that was written out, in hex; empty where it is not hashed."""
        return self._digest.hexdigest() if self._digest is not None else ""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.size_bytes += len(data)
        self._waiting += data
        if len(self._waiting) >= PIECE_BYTES:
            self._write_out()

    def finish(self) -> None:
        """Bring all bytes safely to the disk, and close the file."""
        self._write_out()
        with disk_errors():
            off_hub(os.fsync, self._file.fileno())
        self.close()

    def close(self) -> None:
        """Close the file, whole or not. Closing it again does nothing."""
        self._file.close()

    def _write_out(self) -> None:
        piece, self._waiting = self._waiting, bytearray()
        with disk_errors():
            off_hub(self._append, piece)

    def _append(self, piece: bytearray) -> None:
        _write_all(self._file, piece)
        if self._digest is not None:
            self._digest.update(piece)
        self._unsynced_bytes += len(piece)
        if self._unsynced_bytes >= SYNCED_BYTES:
            self._unsynced_bytes = 0
            os.fdatasync(self._file.fileno())
            self._check_reserve()

    def _check_reserve(self) -> None:
        if shutil.disk_usage(self.path.parent).free < self._reserve_bytes:
            raise DiskFull("The disk has no room for more; try again later.", retry_after_s=RETRY_AFTER_S)


def _open_new(path: Path) -> FileIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unbuffered: a buffer would be written out at a moment of its own, on the hub.
    return FileIO(path, "xb")


def _write_all(file: FileIO, data: bytearray) -> None:
    rest = memoryview(data)
    # A disk that fills up takes the part that fits before it fails.
    while rest:
        rest = rest[file.write(rest) :]
