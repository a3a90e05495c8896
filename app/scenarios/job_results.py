"""What comes of a job's rows, line by line: answers, errors, and answers as the lines of a table.

A line of results is the single call's answer with `row`, counted from 1, in front, and `name` where the row has one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from app.errors import GalleyError, InvalidFields
from app.scenarios.outcomes import error_members

# CSV goes out in pieces of about so many bytes: a line is short, and each piece costs its reader a turn.
PIECE_BYTES: Final = 64 * 1024

# What a spreadsheet takes a text for a formula by, if it begins so. Numbers and JSON never are texts that do.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_QUOTED: Final = frozenset(b'",\r\n')
_encode: Final = msgspec.json.Encoder().encode
_members_of: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_text_of: Final = msgspec.json.Decoder(str).decode


def result_line(row: int, answer: bytes, name: str = "") -> bytes:
    """Return the line of a good row; `answer` is a JSON object that has members."""
    if not name:
        return b'{"row":%d,%b\n' % (row, answer[1:])

    return b'{"row":%d,"name":%b,%b\n' % (row, _encode(_sayable(name)), answer[1:])


def error_line(row: int, error: GalleyError, name: str = "") -> bytes:
    """Return the line of a bad row; of fields that are wrong, it says what is wrong with each."""
    members: dict[str, Any] = {"row": row, **({"name": _sayable(name)} if name else {}), **error_members(error)}
    if isinstance(error, InvalidFields):
        members["detail"] = " ".join(f"{field}: {' '.join(why)}" for field, why in error.errors.items())
    return _encode(members) + b"\n"


def csv_header(columns: Sequence[str]) -> bytes:
    """Return the first line of a table of results: `row`, then `columns`."""
    return ",".join(("row", *columns)).encode() + b"\r\n"


def csv_pieces(lines: Iterable[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield lines of results as those of a table (CSV, RFC 4180) below `csv_header`, in pieces of about PIECE_BYTES.

    What is nested stays JSON, what a line lacks or has as null is empty. A text that a spreadsheet would run as a
    formula has an apostrophe in front, which CSV has no other way to prevent; numbers are as they are.
    """
    names = ("row", *columns)
    piece = bytearray()
    for line in lines:
        members = _members_of(line)
        piece += b",".join([_cell(members.get(name)) for name in names]) + b"\r\n"
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _sayable(name: str) -> str:
    """Return a name with the bytes that are no UTF-8 written out: archives may hold such names, and JSON none."""
    return name.encode(errors="backslashreplace").decode()


def _cell(value: Raw | None) -> bytes:
    if value is None:
        return b""

    json = bytes(value)
    if json.startswith(b'"'):
        return _quoted(_harmless(_text_of(json)).encode())
    return b"" if json == b"null" else _quoted(json)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _quoted(cell: bytes) -> bytes:
    if _QUOTED.isdisjoint(cell):
        return cell

    return b'"%b"' % cell.replace(b'"', b'""')
