"""The list of a ZIP archive's entries, read entry by entry: the zipfile module would hold all of them at once.

Sections are those of PKWARE's APPNOTE.TXT 6.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from app.errors import InvalidInput

# 4.3.16, 4.3.15 with 4.3.14 before it, 4.3.12
_END: Final = struct.Struct("<4s4H2LH")
_LARGE_END: Final = struct.Struct("<4sQ2H2L4Q")
_LARGE_LOCATOR: Final = struct.Struct("<4sLQL")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_EXTRA: Final = struct.Struct("<2H")
_LONGEST_COMMENT: Final = 2**16
_TAIL_BYTES: Final = _LONGEST_COMMENT + _END.size + _LARGE_LOCATOR.size + _LARGE_END.size

_UTF8_NAME: Final = 1 << 11
_SIZES_IN_EXTRA: Final = 0x0001
_IN_EXTRA: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the list lies, and by how much all offsets in it are too small: bytes were put before the archive."""

    start: int
    end: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipEntry:
    """One entry as the list has it. `start` and `end` say where it lies in the list, `offset` where its header is."""

    name: str
    flags: int
    method: int
    checksum: int
    packed_bytes: int
    size_bytes: int
    mode: int
    offset: int
    start: int
    end: int


def find_directory(file: BinaryIO, size_bytes: int) -> Directory:
    """Find the list by what stands at the archive's end.

    :raises InvalidInput: when it is no ZIP archive, or is cut off.
    """
    tail_start = max(0, size_bytes - _TAIL_BYTES)
    file.seek(tail_start)
    tail = file.read(_TAIL_BYTES)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise InvalidInput("The input is no ZIP archive, or is cut off: the list of its entries is missing.")

    *_, list_bytes, offset, comment_bytes = _END.unpack_from(tail, at)
    if at + _END.size + comment_bytes > len(tail):
        raise InvalidInput("The ZIP archive is cut off: a part of its comment is missing.")
    large_at = at - _LARGE_LOCATOR.size - _LARGE_END.size
    if large_at >= 0 and tail[large_at:].startswith(b"PK\6\6"):
        at = large_at
        *_, list_bytes, offset = _LARGE_END.unpack_from(tail, at)
    end = tail_start + at
    if offset + list_bytes > end:
        raise InvalidInput("The ZIP archive is damaged: the list of its entries is not where its end says.")
    return Directory(start=end - list_bytes, end=end, shift=end - list_bytes - offset)


def read_entries(file: BinaryIO, start: int, end: int) -> Iterator[ZipEntry]:
    """Yield the entries in one run of bytes of the list. `file` is at no other use meanwhile.

    :raises InvalidInput: when the list is damaged.
    """
    file.seek(start)
    while start < end:
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(b"PK\1\2"):
            raise _damaged_list()
        entry = _read_entry(_ENTRY.unpack(head), file, start)
        if entry.end > end:
            raise _damaged_list()
        yield entry
        start = entry.end


def _read_entry(head: tuple[int, ...], file: BinaryIO, start: int) -> ZipEntry:
    _, _, _, flags, method, _, _, checksum, packed, size, name_bytes, extra_bytes, comment_bytes, *rest = head
    name, extra = file.read(name_bytes), file.read(extra_bytes)
    file.read(comment_bytes)
    *_, attributes, offset = rest
    size, packed, offset = _large_values(extra, (size, packed, offset))
    return ZipEntry(
        name=name.decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace"),
        flags=flags,
        method=method,
        checksum=checksum,
        packed_bytes=packed,
        size_bytes=size,
        mode=attributes >> 16,
        offset=offset,
        start=start,
        end=start + _ENTRY.size + name_bytes + extra_bytes + comment_bytes,
    )


def _large_values(extra: bytes, values: tuple[int, int, int]) -> tuple[int, ...]:
    """Return sizes and offset, those that do not fit from where they are then (4.5.3): the entry's extra field."""
    if _IN_EXTRA not in values:
        return values

    while len(extra) >= _EXTRA.size:
        kind, size_bytes = _EXTRA.unpack_from(extra)
        field, extra = extra[_EXTRA.size :][:size_bytes], extra[_EXTRA.size + size_bytes :]
        if kind == _SIZES_IN_EXTRA:
            larger = (int.from_bytes(field[at : at + 8], "little") for at in range(0, len(field) - 7, 8))
            return tuple(next(larger, value) if value == _IN_EXTRA else value for value in values)
    return values


def _damaged_list() -> InvalidInput:
    return InvalidInput("The ZIP archive is damaged: the list of its entries cannot be read.")
