"""Where the records of a CSV file end (RFC 4180): a line end inside of quotes ends none.

Records are found in whole blocks where every quote stands where it may, and followed part by part where one does not.
The regular expressions are possessive: no line makes them try again what they passed. Both take for a record what the
csv module takes for one.
"""

import enum
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from app.errors import InvalidInput
from workers.batch.inputs.cutting import Offsets
from workers.batch.inputs.scanning import Found, found_rows, positions
from workers.batch.inputs.text import MOST_ROW_BYTES, LineReader, line_reader

# Quoted, then whatever follows up to the comma; or not quoted; or empty. A quote inside of an unquoted field is text.
_FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"[^,\r\n]*+|[^",\r\n][^,\r\n]*+|)'
_WHOLE_LINE: Final = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
_WHOLE_FIELDS: Final = re.compile(rb"(?:" + _FIELD + rb",)*+")
_QUOTED: Final = re.compile(rb'[^"]*+(?:""[^"]*+)*+')
_UNQUOTED: Final = re.compile(rb"[^,\r\n]*+")
_QUOTE, _COMMA = b'",'
_BEFORE_QUOTE: Final = np.frombuffer(b',"\n', np.uint8)

Record = tuple[int, int, bytes | None]
"""The byte at which a record begins, the one behind its line end, and its bytes: None when there are too many."""


def find_records(block: bytes) -> Found | None:
    """Find the records that end in a block, at whose start one begins; None where a quote or CR is out of place.

    Where each quote that should open a field does, a line ends a record if the number of quotes before its end is even.
    """
    text = block[: block.rfind(b"\n") + 1]
    if text.count(b"\r") != text.count(b"\r\n"):
        return None

    ends = positions(text, b"\n")
    if b'"' in text:
        quotes = positions(text, b'"')
        if not _all_open(text, quotes[::2]):
            return None
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return found_rows(text, ends + 1, _is_row)


def read_records(file: BinaryIO, start: int, count: int = 0) -> Iterator[Record]:
    """Yield the records of a file that stands at its byte `start`, where one begins, `count` having been before it.

    Blank lines are none.

    :raises InvalidInput: at the end of the file, when it is inside of quotes.
    """
    with line_reader(file) as read_line:
        while piece := read_line(MOST_ROW_BYTES):
            record: bytes | None = piece
            end = start + len(piece)
            if not _is_whole(piece):
                rest = _Rest(piece)
                record, end = rest.read(read_line, count), start + rest.size_bytes
            if record is None or _is_row(record):
                yield start, end, record
                count += 1
            start = end


def _all_open(text: bytes, quotes: Offsets) -> bool:
    """Say whether each of these quotes begins a field, or is the second one of two that stand for one."""
    inner = quotes[quotes > 0]
    return bool(np.isin(np.frombuffer(text, np.uint8)[inner - 1], _BEFORE_QUOTE).all())


def _is_row(record: bytes) -> bool:
    return bool(record.strip(b"\r\n"))


def _is_whole(line: bytes) -> bool:
    """Say whether the line is surely one record. Most lines are."""
    return line.endswith(b"\n") and (b'"' not in line or _WHOLE_LINE.fullmatch(line) is not None)


class _Part(enum.Enum):
    """What of a record the scan is in."""

    FIELD_START = enum.auto()
    UNQUOTED = enum.auto()
    QUOTED = enum.auto()
    # Of a quoted field: the closing quote, or the first one of two that stand for one.
    QUOTE = enum.auto()
    END = enum.auto()


class _Rest:
    """Follows one record over lines, and over the pieces of lines that are too long to be held."""

    def __init__(self, piece: bytes) -> None:
        self.size_bytes = 0
        self._held = bytearray()
        self._part = _Part.FIELD_START
        self._take(piece)

    def read(self, read_line: LineReader, number: int) -> bytes | None:
        """Read on to the end of the record, whose number is told if it has none; return its bytes, if not too many."""
        while not self._is_finished:
            piece = read_line(MOST_ROW_BYTES)
            if not piece:
                self._check_end(number)
                break
            self._take(piece)
        return bytes(self._held) if self.size_bytes <= MOST_ROW_BYTES else None

    def _check_end(self, number: int) -> None:
        if self._part is _Part.QUOTED:
            where = f"row {number}" if number else "the header"
            raise InvalidInput(f"A quoted field that begins in {where} is never closed.")

    def _take(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self.size_bytes <= MOST_ROW_BYTES:
            self._held += piece
        position = 0
        while position < len(piece) and self._part is not _Part.END:
            position = self._step(piece, position)
        self._is_finished = self._part is _Part.END and piece.endswith(b"\n")

    def _step(self, piece: bytes, position: int) -> int:
        """Go on to where another part begins; return the byte there."""
        match self._part:
            case _Part.FIELD_START:
                return self._begin_field(piece, _end_of(_WHOLE_FIELDS, piece, position))
            case _Part.QUOTED:
                position = _end_of(_QUOTED, piece, position)
                return self._enter(_Part.QUOTE, position + 1) if position < len(piece) else position
            case _Part.QUOTE:
                is_escaped = piece[position] == _QUOTE
                return self._enter(_Part.QUOTED if is_escaped else _Part.UNQUOTED, position + is_escaped)
            case _:
                return self._end_field(piece, _end_of(_UNQUOTED, piece, position))

    def _begin_field(self, piece: bytes, position: int) -> int:
        if position == len(piece):
            return position

        is_quoted = piece[position] == _QUOTE
        return self._enter(_Part.QUOTED if is_quoted else _Part.UNQUOTED, position + is_quoted)

    def _end_field(self, piece: bytes, position: int) -> int:
        if position == len(piece):
            return position

        return self._enter(_Part.FIELD_START if piece[position] == _COMMA else _Part.END, position + 1)

    def _enter(self, part: _Part, position: int) -> int:
        self._part = part
        return position


def _end_of(pattern: re.Pattern[bytes], piece: bytes, position: int) -> int:
    found = pattern.match(piece, position)
    return found.end() if found else position
