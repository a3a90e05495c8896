"""Inputs as ZIP archives of pictures: each file in one is a row, in the order of the archive's list."""

import stat
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import GalleyError, InputError, InvalidInput, RefusedEntry, RowTooLarge, UnreadableRow
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.cutting import Span, cut_spans, gather
from workers.batch.inputs.entries import check_count, check_name, is_litter, shown_name
from workers.batch.inputs.expansion import check_expansion
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import Place, not_empty
from workers.batch.inputs.zip_directory import Directory, ZipEntry, find_directory, read_entries

# APPNOTE.TXT 4.3.7
_HEADER: Final = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
# 4.4.4: encrypted; strongly so; what the list says is hidden.
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_PIECE_BYTES: Final = 2**16


class ZipReader:
    """Folders and what macOS adds are no rows. Links, encrypted entries and names that lead elsewhere are bad rows.

    Whatever the list says of an entry's size, no more than that is unpacked, and no entry over `most_body_bytes`.
    """

    def __init__(self, folder: JobFolder, most_body_bytes: int) -> None:
        self._folder = folder
        self._most_body_bytes = most_body_bytes

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Cut the list of entries."""
        size_bytes = self._folder.input_bytes()
        with self._folder.open_input() as file:
            directory = find_directory(file, size_bytes)
            spans = gather(self._spans(file, directory, size_bytes))
            more = {"shift": directory.shift, "most_body_bytes": self._most_body_bytes}
            yield from not_empty(cut_spans(spans, limits, **more))

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read the entries of one part of the list."""
        with self._folder.open_input() as listed, self._folder.open_input() as file:
            number = first_row
            for entry in filter(_is_row, read_entries(listed, place["start"], place["end"])):
                yield InputRow(number, _content(file, entry, place), shown_name(entry.name))
                number += 1

    def _spans(self, file: BinaryIO, directory: Directory, size_bytes: int) -> Iterator[Span]:
        unpacked = packed = 0
        for count, entry in enumerate(read_entries(file, directory.start, directory.end), 1):
            check_count(count)
            packed += entry.packed_bytes + _HEADER.size
            # Entries that share their bytes unpack to any size: those of an honest archive do not.
            if packed > directory.start:
                raise InvalidInput("The ZIP archive is damaged: its entries overlap.")
            if _is_row(entry):
                weight = entry.size_bytes if entry.size_bytes <= self._most_body_bytes else 0
                unpacked += weight
                check_expansion(unpacked, size_bytes)
                yield entry.start, entry.end, weight


def _is_row(entry: ZipEntry) -> bool:
    return not entry.name.endswith("/") and not is_litter(entry.name)


def _content(file: BinaryIO, entry: ZipEntry, place: Place) -> bytes | GalleyError:
    try:
        _check_entry(entry, place["most_body_bytes"])
        # What an archive lists lies before its list.
        return _unpacked(file, entry, place["shift"], place["start"])
    except InputError as err:
        return err


def _check_entry(entry: ZipEntry, most_body_bytes: int) -> None:
    check_name(entry.name)
    kind = stat.S_IFMT(entry.mode)
    # An archive made elsewhere than on Unix says nothing of kinds.
    if kind not in (0, stat.S_IFREG):
        raise RefusedEntry("The entry is no plain file.")
    if entry.flags & _ENCRYPTED:
        raise RefusedEntry("The entry is encrypted.")
    if entry.method not in (_STORED, _DEFLATED):
        raise RefusedEntry("The entry is compressed in another way than by deflate.")
    if entry.size_bytes > most_body_bytes:
        raise RowTooLarge(most_body_bytes)


def _unpacked(file: BinaryIO, entry: ZipEntry, shift: int, end: int) -> bytes:
    start = entry.offset + shift
    file.seek(min(start, end))
    head = file.read(_HEADER.size)
    if start > end or len(head) < _HEADER.size or not head.startswith(b"PK\3\4"):
        raise UnreadableRow("The entry is not where the archive's list says.")

    *_, name_bytes, extra_bytes = _HEADER.unpack(head)
    file.seek(start + _HEADER.size + name_bytes + extra_bytes)
    data = _inflated(file, entry) if entry.method == _DEFLATED else _stored(file, entry)
    if len(data) != entry.size_bytes or zlib.crc32(data) != entry.checksum:
        raise UnreadableRow("The entry is damaged: its size or its checksum is not the one in the archive's list.")
    return data


def _stored(file: BinaryIO, entry: ZipEntry) -> bytes:
    return file.read(min(entry.size_bytes, entry.packed_bytes))


def _inflated(file: BinaryIO, entry: ZipEntry) -> bytes:
    """Unpack an entry, and one byte more than it should have if there is one."""
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    data = bytearray()
    left = entry.packed_bytes
    try:
        while left and not inflating.eof and len(data) <= entry.size_bytes:
            piece = file.read(min(left, _PIECE_BYTES))
            left = left - len(piece) if piece else 0
            while piece and len(data) <= entry.size_bytes:
                data += inflating.decompress(piece, entry.size_bytes + 1 - len(data))
                piece = inflating.unconsumed_tail
    except zlib.error as err:
        raise UnreadableRow(f"The entry is damaged: it cannot be inflated ({err}).") from err
    return bytes(data)
