"""The members of a tar archive, gone through from one header to the next.

The tarfile module reads a single header; it would read long names, and lists of parts, of any size into memory.
Formats: POSIX ustar and pax, GNU.
"""

import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from tarfile import BLOCKSIZE, TarInfo
from typing import Final, Protocol

from app.errors import InvalidInput

TOO_LARGE: Final = "GALLEY.too_large"
"""The pax header of a member whose bytes were left out of a slice."""

# All that comes before one member: extended attributes lie beside names.
_MOST_HEADER_BYTES: Final = 2**20
_MOST_MEMBER_BYTES: Final = 2**62
_FILES: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_SPARSE: Final = "GNU.sparse."
_EXTENDED: Final = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_PASSED_OVER: Final = frozenset({tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK})
_WITHOUT_DATA: Final = frozenset(
    {tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
)


class ByteStream(Protocol):
    """What is read from its start to its end, and perhaps from any place."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes: fewer at the end only."""

    def seek(self, offset: int, /) -> int:
        """Go on to a byte."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """One member. `start` is where its first header is, `data_start` its bytes, `end` what is behind them."""

    name: str
    kind: bytes
    size_bytes: int
    start: int
    data_start: int
    extended: Mapping[str, str] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The byte at which the next member begins."""
        data_bytes = 0 if self.kind in _WITHOUT_DATA else self.size_bytes
        return self.data_start + -(-data_bytes // BLOCKSIZE) * BLOCKSIZE

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which is no row."""
        return self.kind == tarfile.DIRTYPE or self.name.endswith("/")

    @property
    def is_file(self) -> bool:
        """Whether it is a plain file, all of whose bytes are there."""
        return self.kind in _FILES and not self.is_sparse

    @property
    def is_sparse(self) -> bool:
        """Whether its bytes are a list of parts."""
        return any(name.startswith(_SPARSE) for name in self.extended)


def read_members(file: ByteStream, start: int, end: int | None = None) -> Iterator[TarMember]:
    """Yield the members up to byte `end`, or to the blocks of zeros at the archive's end.

    Between two of them the file may be read on, up to the end of the member's bytes: it is sought forward only.

    :raises InvalidInput: when there is no header where one should be, or the file is cut off.
    """
    while end is None or start < end:
        file.seek(start)
        member = _read_member(file, start)
        if member is None:
            return
        yield member
        start = member.end


def _read_member(file: ByteStream, start: int) -> TarMember | None:
    position, name = start, ""
    extended: dict[str, str] = {}
    while (header := _read_header(file, position)) is not None:
        position += BLOCKSIZE
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise InvalidInput(f"The tar archive has a sparse file at byte {start}, which is not read.")
        if header.type not in _EXTENDED | _PASSED_OVER | {tarfile.GNUTYPE_LONGNAME}:
            return _member(header, name, extended, (start, position))

        text = _read_text(file, header, position, most_bytes=_MOST_HEADER_BYTES - (position - start))
        if header.type in _EXTENDED:
            extended.update(_pax_headers(text, position))
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            name = text.rstrip(b"\0").decode(errors="replace")
        position += -(-len(text) // BLOCKSIZE) * BLOCKSIZE
    return None


def _member(header: TarInfo, name: str, extended: Mapping[str, str], place: tuple[int, int]) -> TarMember:
    size = extended.get("size", "")
    size_bytes = int(size) if size.isdecimal() and len(size) < 20 else header.size
    if not 0 <= size_bytes < _MOST_MEMBER_BYTES:
        raise _damaged(place[0])

    return TarMember(extended.get("path") or name or header.name, header.type, size_bytes, *place, extended)


def _read_header(file: ByteStream, position: int) -> TarInfo | None:
    """Read one header; None for the block of zeros with which an archive ends."""
    block = file.read(BLOCKSIZE)
    if len(block) < BLOCKSIZE:
        raise InvalidInput("The tar archive is cut off: its end is missing.")

    if not any(block):
        return None

    try:
        return TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError as err:
        raise _damaged(position) from err


def _read_text(file: ByteStream, header: TarInfo, position: int, *, most_bytes: int) -> bytes:
    """Read the bytes behind a header that tells of the next one."""
    if not 0 <= header.size <= most_bytes:
        raise _damaged(position)

    text = file.read(-(-header.size // BLOCKSIZE) * BLOCKSIZE)
    if len(text) < header.size:
        raise _damaged(position)
    return text[: header.size]


def _pax_headers(text: bytes, position: int) -> Iterator[tuple[str, str]]:
    """Yield the records of a pax header: their length, counting itself, a space, name, equals sign, value, LF."""
    at = 0
    while at < len(text):
        digits, space, _ = text[at : at + 10].partition(b" ")
        record_bytes = int(digits) if space and digits.isdigit() else 0
        record = text[at + len(digits) + 1 : at + record_bytes]
        name, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or at + record_bytes > len(text):
            raise _damaged(position)
        yield name.decode(errors="replace"), value[:-1].decode(errors="replace")
        at += record_bytes


def _damaged(position: int) -> InvalidInput:
    return InvalidInput(f"The input is no tar archive, or is damaged: at byte {position} should be a header.")
