"""Chunks of an input whose rows lie one behind the other: runs of bytes, cut by rows and bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.db.repositories.job_chunks import ChunkDraft
from app.scenarios.job_inputs import ChunkLimits

Offsets = NDArray[np.int64]

Span = tuple[int, int, int]
"""The byte at which a row begins, the one behind its last, and how many bytes count for it."""

_GATHERED: Final = 4096


@dataclass(frozen=True)
class Spans:
    """The spans of some rows, in order, as columns: an input may have a hundred million rows."""

    starts: Offsets
    ends: Offsets
    sizes: Offsets


def gather(spans: Iterable[Span]) -> Iterator[Spans]:
    """Yield the same spans, many at a time."""
    rest = iter(spans)
    while some := list(islice(rest, _GATHERED)):
        yield Spans(*np.array(some, np.int64).T)


def cut_spans(gathered: Iterable[Spans], limits: ChunkLimits, **more: Any) -> Iterator[ChunkDraft]:
    """Yield chunks of as many rows as the limits let in; their places hold `start`, `end` and what is in `more`."""
    chunk = _Chunk(limits, more)
    for spans in gathered:
        taken = chunk.take(spans, 0)
        while taken < len(spans.sizes):
            yield chunk.draft()
            chunk = chunk.next()
            taken = chunk.take(spans, taken)
    if chunk.row_count:
        yield chunk.draft()


class _Chunk:
    """One chunk while rows are put into it."""

    def __init__(self, limits: ChunkLimits, more: dict[str, Any], first_row: int = 1) -> None:
        self._limits = limits
        self._more = more
        self._first_row = first_row
        self.row_count = 0
        self._held_bytes = 0
        self._start = self._end = 0

    def take(self, spans: Spans, first: int) -> int:
        """Take the rows that fit, from row `first` of `spans` on; return the number of the first that does not."""
        behind = self._first_not_fitting(spans.sizes, first)
        if behind > first:
            if not self.row_count:
                self._start = int(spans.starts[first])
            self._end = int(spans.ends[behind - 1])
            self.row_count += behind - first
            self._held_bytes += int(spans.sizes[first:behind].sum())
        return behind

    def next(self) -> "_Chunk":
        """Return the chunk behind this one, empty."""
        return _Chunk(self._limits, self._more, self._first_row + self.row_count)

    def draft(self) -> ChunkDraft:
        """Return the chunk as it is now."""
        place = {"start": self._start, "end": self._end, **self._more}
        return ChunkDraft(first_row=self._first_row, row_count=self.row_count, place=place)

    def _first_not_fitting(self, sizes: Offsets, first: int) -> int:
        rows = sizes[first : first + self._limits.most_rows - self.row_count]
        fitting = int(np.searchsorted(rows.cumsum(), self._limits.most_bytes - self._held_bytes, side="right"))
        # A row that alone is too large is a chunk all the same.
        return first + (fitting if fitting or self.row_count else min(1, len(rows)))
