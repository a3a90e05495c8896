"""The rows of a Parquet file in batches of a bounded size, whatever its row groups and however many columns it has.

Arrow holds a page of each column that it reads, packed and unpacked, and its dictionary: of a table with thousands of
columns that is more than the whole process may take. So some columns are read at a time, and put together on the disk.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.infra.disk import disk_errors
from workers.batch.inputs.folder import JobFolder

# So many bytes of rows are read at once, as far as the file tells the truth of them.
_BATCH_BYTES: Final = 2**22
_MOST_BATCH_ROWS: Final = 4096
# What Arrow holds of a column whose pages are as large as most writers make them, and of all columns together.
_COLUMN_BYTES: Final = 2**22
_HELD_BYTES: Final = 2**26

IPC_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4")


def read_batches(parquet: pq.ParquetFile, folder: JobFolder) -> Iterator[pa.RecordBatch]:
    """Yield all rows, with plain columns: slices of a dictionary's would each come with all of it."""
    rows = _batch_rows(parquet.metadata)
    groups = _column_groups(parquet)
    if len(groups) == 1:
        yield from map(_without_dictionaries, parquet.iter_batches(rows, use_threads=False))
        return

    for number in range(parquet.num_row_groups):
        with ExitStack() as closing:
            files = [closing.enter_context(folder.scratch()) for _ in groups]
            for file, names in zip(files, groups, strict=True):
                read = parquet.iter_batches(rows, row_groups=[number], columns=names, use_threads=False)
                _set_aside(file, map(_without_dictionaries, read))
            for parts in zip(*map(_read_back, files), strict=True):
                yield _joined(parts)


def _batch_rows(metadata: Any) -> int:
    held_bytes = sum(max(0, metadata.row_group(group).total_byte_size) for group in range(metadata.num_row_groups))
    rows: int = _BATCH_BYTES * metadata.num_rows // max(1, held_bytes)
    return max(1, min(_MOST_BATCH_ROWS, rows))


def _column_groups(parquet: pq.ParquetFile) -> list[list[str]]:
    """Return the names of the columns that are read together, in the order of the table."""
    names: list[str] = parquet.schema_arrow.names
    # Arrow takes a dot for the way into a column, and all columns that begin so.
    if any("." in name for name in names):
        return [names]

    leaves = max(1, len(parquet.schema) // len(names))
    together = max(1, _HELD_BYTES // (_COLUMN_BYTES * leaves))
    return [names[start : start + together] for start in range(0, len(names), together)]


def _without_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _set_aside(file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
    first = next(batches, None)
    if first is None:
        return

    with disk_errors(), pa.ipc.new_stream(file, first.schema, options=IPC_OPTIONS) as stream:
        stream.write_batch(first)
        for batch in batches:
            stream.write_batch(batch)


def _read_back(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    if file.tell():
        file.seek(0)
        with pa.ipc.open_stream(file) as stream:
            yield from stream


def _joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    columns = [column for part in parts for column in part.columns]
    return pa.RecordBatch.from_arrays(columns, names=[name for part in parts for name in part.schema.names])
