"""A compressed tar archive written anew as slices: plain archives that are read alone."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from app.errors import InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.expansion import check_expansion
from workers.batch.inputs.tar_members import TOO_LARGE, ByteStream, TarMember

GZIP_MARK: Final = b"\x1f\x8b"

_PIECE_BYTES: Final = 2**18


class GzipStream:
    """What a file of gzip unpacks to, which is sought forward only.

    :raises InvalidInput: from every method, when the file is damaged or cut off.
    """

    def __init__(self, file: BinaryIO, packed_bytes: int) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._packed_bytes = packed_bytes

    def read(self, size: int, /) -> bytes:
        """Return the next bytes: fewer at the end only."""
        with _damage():
            return self._file.read(size)

    def seek(self, offset: int, /) -> int:
        """Unpack up to a byte.

        :raises InvalidInput: when that is more than such a file may unpack to.
        """
        check_expansion(offset, self._packed_bytes)
        with _damage():
            return self._file.seek(offset)

    def finish(self) -> None:
        """Unpack the rest: the checksum of all is at the end."""
        while self.read(_PIECE_BYTES):
            check_expansion(self._file.tell(), self._packed_bytes)
        self._file.close()


class SliceWriter:
    """Writes the members of an archive, as they come by in `file`, to one slice after the other.

    Members over `most_body_bytes`, and those that are no plain files, are written without their bytes.
    """

    def __init__(self, file: ByteStream, members: Iterator[TarMember], most_body_bytes: int) -> None:
        self._file = file
        self._members = members
        self._most_body_bytes = most_body_bytes
        self._next = next(members, None)

    @property
    def has_more(self) -> bool:
        """Whether there is a member for another slice."""
        return self._next is not None

    def write(self, target: BinaryIO, limits: ChunkLimits) -> tuple[int, int]:
        """Write as many members as fit, at least one; return how many, and the bytes that they take."""
        count = held_bytes = 0
        while self._next is not None and count < limits.most_rows:
            size_bytes = self._kept_bytes(self._next)
            if count and held_bytes + size_bytes > limits.most_bytes:
                break
            self._write_member(target, self._next, size_bytes)
            count, held_bytes = count + 1, held_bytes + size_bytes
            self._next = next(self._members, None)
        return count, target.tell()

    def _kept_bytes(self, member: TarMember) -> int:
        return member.size_bytes if member.is_file and member.size_bytes <= self._most_body_bytes else 0

    def _write_member(self, target: BinaryIO, member: TarMember, size_bytes: int) -> None:
        header = tarfile.TarInfo(member.name)
        header.type, header.size = member.kind, size_bytes
        # Said at length: a plain header would cut a name at its first NUL.
        header.pax_headers = {"path": member.name, **_marks(member, size_bytes)}
        target.write(header.tobuf(tarfile.PAX_FORMAT))
        left = size_bytes
        while left:
            piece = self._file.read(min(left, _PIECE_BYTES))
            if not piece:
                raise InvalidInput("The tar archive is cut off: the bytes of an entry are missing.")
            target.write(piece)
            left -= len(piece)
        target.write(bytes(-size_bytes % tarfile.BLOCKSIZE))


def _marks(member: TarMember, size_bytes: int) -> dict[str, str]:
    """Return what a slice says of a member that it has no bytes of."""
    if member.is_sparse:
        return {"GNU.sparse.major": "1"}

    return {TOO_LARGE: "1"} if member.is_file and size_bytes < member.size_bytes else {}


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as err:
        raise InvalidInput(f"The archive cannot be unpacked: {err}.") from err
