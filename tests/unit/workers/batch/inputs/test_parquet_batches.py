"""Batches hold all rows and columns, also where a few columns are read at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import DiskFull
from tests.factories.job_inputs import JOB_ID, folder_at
from workers.batch.inputs import parquet_batches
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_batches import read_batches

TABLE = pa.table(
    {
        "number": pa.array(range(1000)),
        "colour": pa.array(["red", None, "blue", "red"] * 250).dictionary_encode(),
        "pair": pa.array([{"a": number, "b": str(number)} for number in range(1000)]),
        "list": pa.array([[number] * (number % 3) for number in range(1000)]),
        "other": pa.array([float(number) for number in range(1000)]),
    }
)
PLAIN = TABLE.set_column(1, "colour", TABLE["colour"].cast(pa.string()))


class FullFolder(JobFolder):
    """A folder on a disk without room."""

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        with Path("/dev/full").open("r+b", buffering=0) as file:
            yield cast("BinaryIO", file)


def parquet_at(root: Path, table: pa.Table, *, row_group_size: int = 300) -> pq.ParquetFile:
    pq.write_table(table, root / "table.parquet", row_group_size=row_group_size)
    return pq.ParquetFile(root / "table.parquet")


@pytest.mark.parametrize("held_columns", [1, 2, 16])
def test_columns_are_put_together_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_columns: int) -> None:
    monkeypatch.setattr(parquet_batches, "_COLUMN_BYTES", 2**20)
    monkeypatch.setattr(parquet_batches, "_HELD_BYTES", held_columns * 2**20)
    monkeypatch.setattr(parquet_batches, "_MOST_BATCH_ROWS", 64)
    with parquet_at(tmp_path, TABLE) as parquet:
        batches = list(read_batches(parquet, folder_at(tmp_path)))

    assert pa.Table.from_batches(batches).equals(PLAIN)
    assert max(batch.num_rows for batch in batches) <= 64
    # What was set aside has no name.
    assert not list((tmp_path / ".staging").glob("*"))


def test_names_with_dots_are_not_taken_for_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_batches, "_HELD_BYTES", 1)
    table = pa.table({"a": [{"b": 1}, {"b": 2}], "a.b": [3, 4]})
    with parquet_at(tmp_path, table) as parquet:
        batches = list(read_batches(parquet, folder_at(tmp_path)))

    assert pa.Table.from_batches(batches).to_pylist() == table.to_pylist()


def test_disk_without_room_for_columns_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_batches, "_HELD_BYTES", 1)
    folder = FullFolder(folder_at(tmp_path).files, JOB_ID)

    with parquet_at(tmp_path, TABLE) as parquet, pytest.raises(DiskFull):
        list(read_batches(parquet, folder))
