"""Slices of a Parquet file: all rows, however they are stored; what is not what it says is refused."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_inputs import ROOMY, stored_input
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_slicing import TOO_LARGE, write_slices

TABLE = pa.table({"number": pa.array(range(1000)), "text": pa.array([f"text {number}" for number in range(1000)])})


def parquet(table: pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


def slices(folder: JobFolder, limits: ChunkLimits = ROOMY) -> list[pa.Table]:
    tables = []
    for name, rows in write_slices(folder, limits, list, most_row_bytes=2**26):
        with folder.open_slice(name) as file:
            tables.append(pa.ipc.open_stream(file).read_all().drop_columns([TOO_LARGE]))
        assert tables[-1].num_rows == rows
    return tables


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"use_dictionary": False}, {"row_group_size": 7}])
@pytest.mark.parametrize("most_rows", [1, 64, 999, 5000])
def test_slices_hold_all_rows(tmp_path: Path, options: dict[str, Any], most_rows: int) -> None:
    tables = slices(
        stored_input(tmp_path, parquet(TABLE, **options)), ChunkLimits(most_rows=most_rows, most_bytes=10**9)
    )

    assert pa.concat_tables(tables).equals(TABLE)
    assert {table.num_rows for table in tables[:-1]} <= {most_rows}


def test_slices_are_cut_by_bytes(tmp_path: Path) -> None:
    tables = slices(stored_input(tmp_path, parquet(TABLE)), ChunkLimits(most_rows=10**6, most_bytes=2000))

    assert pa.concat_tables(tables).equals(TABLE)
    assert max(table.nbytes for table in tables) < 2200
    assert min(table.nbytes for table in tables[:-1]) > 1000


def test_categories_come_as_what_they_stand_for(tmp_path: Path) -> None:
    table = pa.table({"colour": pa.array(["red", None, "red"]).dictionary_encode()})

    (only,) = slices(stored_input(tmp_path, parquet(table)))

    assert only.schema.field("colour").type == pa.string()
    assert only.to_pylist() == table.to_pylist()


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

    with pytest.raises(InvalidInput, match="Two columns are named 'a'"):
        slices(stored_input(tmp_path, parquet(table)))


def test_table_without_columns_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput):
        slices(stored_input(tmp_path, parquet(pa.table({"a": [1]}).select([]))))


def test_encrypted_file_is_named_so(tmp_path: Path) -> None:
    data = parquet(TABLE)

    with pytest.raises(InvalidInput, match="encrypted"):
        slices(stored_input(tmp_path, data[:-4] + b"PARE"))


def test_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    data = parquet(TABLE)
    for length in range(4, len(data), len(data) // 40):
        with pytest.raises(InvalidInput, match=r"cut off|no Parquet"):
            slices(stored_input(tmp_path, data[:length]))


def test_damaged_page_is_told(tmp_path: Path) -> None:
    data = bytearray(parquet(TABLE, compression="zstd", write_page_checksum=True))
    data[200:260] = bytes(60)

    with pytest.raises(InvalidInput, match="The Parquet file cannot be read: "):
        slices(stored_input(tmp_path, bytes(data)))


def test_description_of_any_length_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="description of itself"):
        slices(stored_input(tmp_path, b"PAR1" + bytes(100) + b"\xff\xff\xff\x7fPAR1"))


def test_bomb_is_refused(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["x" * 2**16] * 5000)})

    with pytest.raises(InvalidInput, match="unpacks to more than"):
        slices(stored_input(tmp_path, parquet(table, compression="zstd")))


class BrokenFolder(JobFolder):
    """A folder whose input fails while it is read."""

    def open_input(self, offset: int = 0) -> Any:
        return _BrokenFile((Path(self.files._root) / "job" / "input").read_bytes())


class _BrokenFile(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if size != 8 and self.tell() > 3:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_file_system_that_fails_is_not_the_file(tmp_path: Path) -> None:
    folder = stored_input(tmp_path, parquet(TABLE))

    with pytest.raises(OSError, match="Input/output error"):
        slices(BrokenFolder(folder.files, folder.job_id))
