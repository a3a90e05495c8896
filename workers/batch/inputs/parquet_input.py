"""Inputs as Parquet files: each row is a record of plain values by the names of the columns."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa

import workers
from app.db.repositories.job_chunks import ChunkDraft
from app.errors import DiskFull, EmptyInput, GalleyError, InvalidInput, RowTooLarge, StoreUnreachable
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs import parquet_child
from workers.batch.inputs.arrow_records import Record, records_of
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_child import COLUMNS, END, ERROR, SLICE, Order
from workers.batch.inputs.parquet_slicing import TOO_LARGE
from workers.batch.inputs.reader import Place, ReaderLost, changed_input

_ROOT: Final = Path(workers.__path__[0]).parent
_KNOWN: Final = {error.code: error for error in (InvalidInput, StoreUnreachable, DiskFull)}
# Signals that a process gets from others; all else it brings upon itself.
_FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class ParquetReader:
    """Planned by a process of its own, with little memory, which writes the rows anew as slices, one per chunk.

    A row of over `most_row_bytes`, as Arrow holds it, is a bad row.
    """

    def __init__(self, folder: JobFolder, most_row_bytes: int) -> None:
        self._folder = folder
        self._most_row_bytes = most_row_bytes

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Have the slices written."""
        columns: list[str] = []
        first_row = 1
        with _running(Order(self._folder, limits, self._most_row_bytes, os.getpid())) as process:
            for kind, *told in _lines(process):
                if kind == COLUMNS:
                    (columns,) = told
                elif kind == SLICE:
                    name, row_count = told
                    place = {"slice": name, "columns": columns}
                    yield ChunkDraft(first_row=first_row, row_count=row_count, place=place)
                    first_row += row_count
                elif kind == ERROR:
                    raise _error(*told)

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read one slice."""
        number = first_row
        try:
            with self._folder.open_slice(place["slice"]) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    for content in self._contents(batch):
                        yield InputRow(number, content)
                        number += 1
        except pa.ArrowInvalid as err:
            raise changed_input() from err

    def _contents(self, batch: pa.RecordBatch) -> Iterator[Record | GalleyError]:
        records = records_of(batch.drop_columns([TOO_LARGE]))
        for is_too_large, record in zip(batch.column(TOO_LARGE).to_pylist(), records, strict=True):
            yield RowTooLarge(self._most_row_bytes) if is_too_large else record


@contextmanager
def _running(order: Order) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", parquet_child.__name__]
    with subprocess.Popen(  # noqa: S603 - the command is ours, word by word
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            # Of one that ended before it took its order, its exit code says why.
            with suppress(BrokenPipeError), _pipe(process.stdin) as orders:
                orders.write(pickle.dumps(order))
            yield process
        finally:
            process.kill()


def _lines(process: subprocess.Popen[bytes]) -> Iterator[list[Any]]:
    """Yield what the process tells up to its end.

    :raises InvalidInput: when it ended before that by itself.
    :raises ReaderLost: when somebody ended it.
    """
    for line in _pipe(process.stdout):
        if not line.endswith(b"\n"):
            # It ended while it wrote this.
            break
        told = msgspec.json.decode(line)
        yield told
        if told[0] in (END, ERROR):
            return

    code = process.wait()
    if -code in _FROM_OUTSIDE:
        raise ReaderLost(signal.Signals(-code).name)
    raise InvalidInput(f"The Parquet file cannot be read: the process that did ended with code {code}.")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _error(code: str, detail: str) -> GalleyError:
    if code == EmptyInput.code:
        return EmptyInput()

    return _KNOWN.get(code, InvalidInput)(detail)
