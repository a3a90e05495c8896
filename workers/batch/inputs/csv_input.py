"""Inputs as CSV with a header: each further record is a row, its fields by the names of the header."""

import csv
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import EmptyInput, GalleyError, InvalidInput, RowTooLarge, UnreadableRow
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.columns import MOST_NAME_BYTES, check_columns
from workers.batch.inputs.csv_records import find_records, read_records
from workers.batch.inputs.cutting import Span, cut_spans
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import Place, changed_input, not_empty
from workers.batch.inputs.scanning import scan_rows
from workers.batch.inputs.text import MOST_ROW_BYTES, skip_mark

# As many characters as a row may have: the module's own limit, of the whole process, is below that.
csv.field_size_limit(MOST_ROW_BYTES)

# Of one chunk: most are smaller.
_MOST_HELD_BYTES: Final = 2**24
_HEADER_BYTES: Final = 4 * MOST_NAME_BYTES


class CsvReader:
    """Fields are divided by commas and quoted by double quotes (RFC 4180), records end with LF or CRLF; all is UTF-8.

    All cells are texts. Blank lines are no rows, and are not counted as such. Places hold the names of the `columns`.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Cut the file at ends of records."""
        with self._folder.open_input() as file:
            header = next(read_records(file, skip_mark(file)), None)
            if header is None:
                raise EmptyInput
            spans = scan_rows(file, header[1], find_records, _read)
            yield from not_empty(cut_spans(spans, limits, columns=_columns(header[2])))

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read the records of one run of bytes."""
        columns: list[str] = place["columns"]
        records = self._found_at_once(place)
        for number, record in enumerate(self._followed(place) if records is None else records, first_row):
            yield InputRow(number, _content(columns, record))

    def _found_at_once(self, place: Place) -> Iterator[bytes | None] | None:
        """Return the records of a chunk that is small enough to be looked at as a whole; None where that tells not all.

        Lines within quotes cost a step each otherwise, of a few bytes or many.
        """
        size_bytes = place["end"] - place["start"]
        if size_bytes > _MOST_HELD_BYTES:
            return None

        with self._folder.open_input(place["start"]) as file:
            block = file.read(size_bytes)
        found = find_records(block)
        if found is None or found.reach < size_bytes:
            return None
        return (block[start:end] if end - start <= MOST_ROW_BYTES else None for start, end in found.spans())

    def _followed(self, place: Place) -> Iterator[bytes | None]:
        with self._folder.open_input(place["start"]) as file:
            for _, end, record in read_records(file, place["start"]):
                yield record
                if end >= place["end"]:
                    return
        raise changed_input()


def _read(file: BinaryIO, start: int, count: int) -> Iterator[Span]:
    # The header is a record, too.
    return ((begin, end, end - begin) for begin, end, _ in read_records(file, start, count + 1))


def _columns(header: bytes | None) -> list[str]:
    if header is None or len(header) > _HEADER_BYTES:
        raise InvalidInput(f"The header is over {_HEADER_BYTES} bytes; the first line names the columns.")

    try:
        columns = _fields(header)
    except UnreadableRow as err:
        raise InvalidInput(f"The header cannot be read: {err.detail}") from err
    check_columns(columns)
    return columns


def _content(columns: list[str], record: bytes | None) -> dict[str, Any] | GalleyError:
    if record is None:
        return RowTooLarge(MOST_ROW_BYTES)

    try:
        fields = _fields(record)
    except UnreadableRow as err:
        return err
    if len(fields) != len(columns):
        return UnreadableRow(f"The row has {len(fields)} fields; the header has {len(columns)}.")
    return dict(zip(columns, fields, strict=True))


def _fields(record: bytes) -> list[str]:
    try:
        return next(csv.reader((record.decode(),)))
    except UnicodeDecodeError as err:
        raise UnreadableRow(f"The row is not UTF-8: its byte {err.start + 1} is wrong.") from err
    except csv.Error as err:
        raise UnreadableRow(f"The row is not CSV: {err}.") from err
