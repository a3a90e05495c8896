"""Reads the metrics files of many processes at once; of a file that was read before, only its values.

prometheus_client maps one file per process and type into memory: eight bytes of which the first four say how much is
used, then entries that stay where they are: the length of a key, the key, spaces up to a multiple of eight bytes, the
value and when it was set. To parse all keys at each scrape takes 360 ms of 50 000 entries; to read their values, 12.
"""

import logging
import mmap
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from app.infra.metric_entries import MARK, warn_of_tear
from app.infra.metric_folding import folder_in_use
from app.infra.metric_series import MOST, NEWEST, FileKind, SeriesTable

logger = logging.getLogger(__name__)

_HEAD_BYTES: Final = 8
_LENGTH: Final = struct.Struct("i")
_CELL_BYTES: Final = 8
_VALUE_AND_TIME_BYTES: Final = 16


class MetricsFile:
    """One process's values of one type, mapped into memory as that process has them."""

    def __init__(self, path: Path, table: SeriesTable) -> None:
        self.kind = FileKind.of(path.name)
        self.numbers = array("q")
        """The series of each entry."""
        self._cells = array("q")
        self._path = path
        self._table = table
        self._end = _HEAD_BYTES
        self._is_torn = False
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._values = memoryview(self._map)[: len(self._map) // _CELL_BYTES * _CELL_BYTES].cast("d")

    @property
    def size_bytes(self) -> int:
        """How large the file was when it was mapped; larger, it has to be mapped anew."""
        return len(self._map)

    def learn(self) -> Sequence[int]:
        """Take in the entries that came since the last time, and return their series.

        Of a file that is torn, those before the tear; a warning tells once.
        """
        before = len(self.numbers)
        if not self._is_torn:
            try:
                self._learn()
            except (ValueError, struct.error) as err:
                self._is_torn = True
                warn_of_tear(self._path, err)
        return self.numbers[before:]

    def _learn(self) -> None:
        (used,) = _LENGTH.unpack_from(self._map)
        # What lies beyond is read when the file, which has grown this moment, is mapped anew.
        end = min(used, len(self._map))
        # Hundreds of thousands of turns at a worker's first scrape: what is called here is called by local names.
        data, length_at, known = self._map, _LENGTH.unpack_from, self._table.known(self.kind)
        while self._end < end:
            (length,) = length_at(data, self._end)
            start = self._end + _LENGTH.size
            key = data[start : start + length]
            value_at = start + length + _CELL_BYTES - (length + _LENGTH.size) % _CELL_BYTES
            if value_at + _VALUE_AND_TIME_BYTES > end:
                return
            if key != MARK:
                number = known.get(key)
                self.numbers.append(self._table.number(self.kind, key) if number is None else number)
                self._cells.append(value_at // _CELL_BYTES)
            self._end = value_at + _VALUE_AND_TIME_BYTES

    def add_to(self, totals: list[float], times: list[float]) -> None:
        """Bring its values together with those of the files before; `times` is when the newest ones were set."""
        values = map(self._values.__getitem__, self._cells)
        if self.kind.combine == MOST:
            for number, value in zip(self.numbers, values, strict=True):
                totals[number] = max(totals[number], value)
        elif self.kind.combine == NEWEST:
            set_at = [self._values[cell + 1] for cell in self._cells]
            for number, value, at in zip(self.numbers, values, set_at, strict=True):
                if at >= times[number]:
                    totals[number], times[number] = value, at
        else:
            for number, value in zip(self.numbers, values, strict=True):
                totals[number] += value


class MetricsFiles:
    """All files in some folders, each of a service. For one thread at a time."""

    def __init__(self, table: SeriesTable) -> None:
        self._table = table
        self._files: dict[tuple[int, int], MetricsFile] = {}
        self._holders: list[int] = []
        self._passed_over: set[str] = set()
        self.generation = 0
        """Counts up whenever a series appears or disappears."""

    def read(self, folders: Sequence[Path]) -> list[float]:
        """Return the values of all series that there ever were, by number; `living` says which there are."""
        with ExitStack() as locks:
            for folder in folders:
                locks.enter_context(folder_in_use(folder))
            self._look(folders)
            start = [float("-inf") if series.kind.combine == MOST else 0.0 for series in self._table.all]
            times = [0.0] * len(start)
            for file in self._files.values():
                file.add_to(start, times)
            return start

    def living(self) -> Iterator[int]:
        """Yield the numbers of the series that are in a file."""
        return (number for number, holders in enumerate(self._holders) if holders)

    def _look(self, folders: Sequence[Path]) -> None:
        """Map the files that are new or have grown, let go of those that are gone, and take in new entries."""
        found: dict[tuple[int, int], MetricsFile] = {}
        for path in (path for folder in folders for path in folder.glob("*.db") if self._comes_together(path.name)):
            status = path.stat()
            # Empty for a moment at its birth, and for ever where its process was killed in that moment.
            if status.st_size:
                identity = (status.st_dev, status.st_ino)
                known = self._files.get(identity)
                is_same = known is not None and known.size_bytes == status.st_size
                found[identity] = known if known is not None and is_same else MetricsFile(path, self._table)
        for identity, file in self._files.items():
            if found.get(identity) is not file:
                self._hold(file.numbers, -1)
        for file in found.values():
            self._hold(file.learn(), 1)
        self._files = found

    def _comes_together(self, file_name: str) -> bool:
        """Tell whether a file can be read; of each kind that cannot, a warning tells once."""
        kind = file_name.rpartition("_")[0]
        try:
            FileKind.of(file_name)
        except ValueError as err:
            if kind not in self._passed_over:
                logger.warning("metrics are left out: %s", err)
                self._passed_over.add(kind)
            return False

        return True

    def _hold(self, numbers: Sequence[int], by: int) -> None:
        self._holders += [0] * (len(self._table.all) - len(self._holders))
        for number in numbers:
            before = self._holders[number]
            self._holders[number] = before + by
            # From nobody to somebody, or back.
            self.generation += before + min(by, 0) == 0
