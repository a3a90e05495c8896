"""Where the rows of a text file lie: found in whole blocks at once, and row by row where that is not sure.

Text files come with a gigabyte of rows of some bytes each: a step of Python per row would take minutes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from workers.batch.inputs.cutting import Offsets, Span, Spans, gather

BLOCK_BYTES: Final = 2**21
_LAST_WHITE: Final = ord(" ")


@dataclass(frozen=True)
class Found:
    """The rows of a block, by the bytes at which they begin and end, and how far they and blank lines reach."""

    starts: Offsets
    ends: Offsets
    reach: int

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield where each begins and ends."""
        return zip(self.starts.tolist(), self.ends.tolist(), strict=True)


FindRows = Callable[[bytes], Found | None]
"""Finds the rows that end in a block, at whose start one begins; None where it cannot tell, or none ends."""

ReadRows = Callable[[BinaryIO, int, int], Iterator[Span]]
"""Yields the rows of a file that stands at a byte, which is told, as is how many rows were before it."""


def scan_rows(file: BinaryIO, start: int, find: FindRows, read: ReadRows) -> Iterator[Spans]:
    """Yield the spans of all rows from byte `start` on, where one begins.

    Where `find` cannot tell, `read` reads as far as a block: rows that are odd, too long, or the file's last.
    """
    count = 0
    while block := _read_block(file, start):
        found = find(block)
        if found is not None:
            yield Spans(found.starts + start, found.ends + start, found.ends - found.starts)
            start, count = start + found.reach, count + len(found.ends)
            continue

        begin, start = start, start + len(block)
        file.seek(begin)
        for spans in gather(_up_to(start, read(file, begin, count))):
            yield spans
            start, count = int(spans.ends[-1]), count + len(spans.ends)


def found_rows(block: bytes, ends: Offsets, is_row: Callable[[bytes], bool]) -> Found | None:
    """Return the rows of a block whose lines or records have these ends, without those that are blank.

    Only what begins with a white character can be blank: `is_row` is asked about no other.
    """
    if not len(ends):
        return None

    starts = np.concatenate(([0], ends[:-1]))
    kept = np.ones(len(ends), np.bool_)
    for number in np.flatnonzero(np.frombuffer(block, np.uint8)[starts] <= _LAST_WHITE):
        kept[number] = is_row(block[starts[number] : ends[number]])
    return Found(starts[kept], ends[kept], int(ends[-1]))


def positions(block: bytes, byte: bytes) -> Offsets:
    """Return where a byte is in a block."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == byte[0])


def _read_block(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(BLOCK_BYTES)


def _up_to(behind: int, spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        yield span
        if span[1] >= behind:
            return
