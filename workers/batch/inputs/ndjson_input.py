"""Inputs as NDJSON: each line is the body of one single call."""

from collections.abc import Iterator
from typing import BinaryIO

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import RowTooLarge
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.cutting import Span, cut_spans
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import Place, changed_input, not_empty
from workers.batch.inputs.scanning import Found, found_rows, positions, scan_rows
from workers.batch.inputs.text import MOST_ROW_BYTES, LineReader, line_reader, skip_mark


class NdjsonReader:
    """Lines end with LF or CRLF, the last one with the file. Blank lines are no rows, and are not counted as such.

    A line over MOST_ROW_BYTES is a bad row, even a blank one. What a line holds, whoever reads the row finds out: JSON,
    UTF-8 or neither.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Cut the file at line ends."""
        with self._folder.open_input() as file:
            spans = scan_rows(file, skip_mark(file), _find, _read)
            yield from not_empty(cut_spans(spans, limits))

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read the lines of one run of bytes."""
        number, position = first_row, place["start"]
        with self._folder.open_input(position) as file:
            for line, size_bytes in _lines(file):
                position += size_bytes
                if _is_row(line):
                    yield InputRow(number, RowTooLarge(MOST_ROW_BYTES) if line is None else line.rstrip(b"\r\n"))
                    number += 1
                if position >= place["end"]:
                    return
        raise changed_input()


def _find(block: bytes) -> Found | None:
    return found_rows(block, positions(block, b"\n") + 1, _is_row)


def _read(file: BinaryIO, start: int, _count: int) -> Iterator[Span]:
    for line, size_bytes in _lines(file):
        end = start + size_bytes
        if _is_row(line):
            yield start, end, size_bytes
        start = end


def _is_row(line: bytes | None) -> bool:
    return line is None or len(line) > MOST_ROW_BYTES or not line.isspace()


def _lines(file: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line with its end, and how many bytes it has; None for one that is too large."""
    with line_reader(file) as read_line:
        while line := read_line(MOST_ROW_BYTES + 1):
            if len(line) <= MOST_ROW_BYTES:
                yield line, len(line)
            else:
                yield None, len(line) + _skip_rest(line, read_line)


def _skip_rest(piece: bytes, read_line: LineReader) -> int:
    skipped = 0
    while piece and not piece.endswith(b"\n"):
        piece = read_line(MOST_ROW_BYTES)
        skipped += len(piece)
    return skipped
