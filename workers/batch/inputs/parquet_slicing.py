"""A Parquet file written anew as slices of Arrow: runs of rows that are read alone, whatever the file's row groups."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.columns import check_columns
from workers.batch.inputs.expansion import check_expansion
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_batches import IPC_OPTIONS, read_batches

_MARK: Final = b"PAR1"
_ENCRYPTED_MARK: Final = b"PARE"
_MOST_FOOTER_BYTES: Final = 2**24
_BUFFER_BYTES: Final = 2**16
# A row counts as no less than this, even if all of it is null.
_LEAST_ROW_BYTES: Final = 16
_LONGEST_REASON: Final = 200

TOO_LARGE: Final = ""
"""The column of slices that says which rows have too many bytes, and are empty. No column of a file has no name."""

Slice = tuple[str, int]
"""A slice's name, and how many rows it holds."""


def write_slices(
    folder: JobFolder, limits: ChunkLimits, tell_columns: Callable[[list[str]], None], *, most_row_bytes: int
) -> Iterator[Slice]:
    """Write the rows of the input to slices. Bytes are those in Arrow's memory, evened out over some thousand rows.

    Rows of more than `most_row_bytes` are only marked as such.

    :raises EmptyInput: when there is no row.
    :raises InvalidInput: when the file cannot be read, is not what it says, or unpacks to more than it may.
    """
    size_bytes = folder.input_bytes()
    with folder.open_input() as opened:
        _check_ends(opened, size_bytes)
        file = _WatchedFile(opened)
        try:
            parquet = _open(file)
            tell_columns(parquet.schema_arrow.names)
            batches = _checked(parquet, read_batches(parquet, folder), size_bytes)
            yield from _write(folder, _Batches((_marked(batch, most_row_bytes) for batch in batches), limits))
        except MemoryError:
            raise
        except (pa.ArrowException, OSError, ValueError) as err:
            if file.failure is not None:
                raise file.failure from err
            raise InvalidInput(f"The Parquet file cannot be read: {_reason(err)}.") from err


class _WatchedFile:
    """A file that remembers how it failed: what Arrow raises then may as well be said of damaged bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.closed = False
        self.failure: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as err:
            self.failure = err
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""


def _check_ends(file: BinaryIO, size_bytes: int) -> None:
    """Look at the marks at both ends, and at how large the file's description is, before it is read as a whole."""
    head = file.read(len(_MARK))
    file.seek(max(0, size_bytes - 8))
    tail = file.read(8)
    if _ENCRYPTED_MARK in (head, tail[4:]):
        raise InvalidInput("The Parquet file is encrypted.")
    if head != _MARK:
        raise InvalidInput("The input is no Parquet file.")
    if tail[4:] != _MARK:
        raise InvalidInput("The Parquet file is cut off: its end is missing.")
    if int.from_bytes(tail[:4], "little") > min(_MOST_FOOTER_BYTES, size_bytes):
        raise InvalidInput(f"The Parquet file's description of itself is over {_MOST_FOOTER_BYTES} bytes, or cut off.")
    file.seek(0)


def _open(file: _WatchedFile) -> pq.ParquetFile:
    # Read page by page: a row group may be as large as the file.
    parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES, page_checksum_verification=True)
    if parquet.metadata.num_rows == 0:
        raise EmptyInput
    if parquet.metadata.num_rows < 0 or not parquet.schema_arrow.names:
        raise InvalidInput("The Parquet file has no columns, or less than no rows.")

    check_columns(parquet.schema_arrow.names)
    return parquet


def _checked(parquet: pq.ParquetFile, batches: Iterator[pa.RecordBatch], size_bytes: int) -> Iterator[pa.RecordBatch]:
    told, count, unpacked = parquet.metadata.num_rows, 0, 0
    for batch in batches:
        count += batch.num_rows
        unpacked += max(batch.nbytes, _LEAST_ROW_BYTES * batch.num_rows)
        check_expansion(unpacked, size_bytes)
        if batch.num_rows:
            yield batch
    if count != told:
        raise InvalidInput(f"The Parquet file says that it has {told} rows, and has {count}.")


def _marked(batch: pa.RecordBatch, most_row_bytes: int) -> pa.RecordBatch:
    """Return the batch with the column TOO_LARGE, and nothing but that of rows that are."""
    rows = range(batch.num_rows)
    too_large = [False] * batch.num_rows
    if batch.nbytes > most_row_bytes:
        too_large = [batch.slice(row, 1).nbytes > most_row_bytes for row in rows]
    if any(too_large):
        batch = batch.take(pa.array([None if is_large else row for row, is_large in zip(rows, too_large, strict=True)]))
    return pa.RecordBatch.from_arrays([*batch.columns, pa.array(too_large)], names=[*batch.schema.names, TOO_LARGE])


class _Batches:
    """The rows of a file, taken from it slice by slice."""

    def __init__(self, batches: Iterator[pa.RecordBatch], limits: ChunkLimits) -> None:
        self._batches = batches
        self._limits = limits
        self.rest: pa.RecordBatch | None = next(batches, None)

    def write(self, target: BinaryIO) -> int:
        """Write as many rows as fit, at least one; return how many."""
        assert self.rest is not None
        rows = held_bytes = 0
        with pa.ipc.new_stream(target, self.rest.schema, options=IPC_OPTIONS) as stream:
            while self.rest is not None and (fitting := self._fitting(self.rest, rows, held_bytes)):
                part = self.rest.slice(0, fitting)
                stream.write_batch(part)
                rows, held_bytes = rows + fitting, held_bytes + part.nbytes
                is_used_up = fitting == self.rest.num_rows
                self.rest = next(self._batches, None) if is_used_up else self.rest.slice(fitting)
        return rows

    def _fitting(self, batch: pa.RecordBatch, rows: int, held_bytes: int) -> int:
        by_bytes = (self._limits.most_bytes - held_bytes) * batch.num_rows // max(1, batch.nbytes)
        fitting = min(batch.num_rows, self._limits.most_rows - rows, max(0, by_bytes))
        return int(fitting) if rows else max(1, int(fitting))


def _write(folder: JobFolder, batches: _Batches) -> Iterator[Slice]:
    number = 0
    while batches.rest is not None:
        number += 1
        name = folder.slice_name(number, "arrow")
        with folder.new_slice(name) as target:
            rows = batches.write(target)
        yield name, rows


def _reason(err: Exception) -> str:
    lines = str(err).splitlines()
    return lines[0][:_LONGEST_REASON].rstrip(".") if lines else type(err).__name__
