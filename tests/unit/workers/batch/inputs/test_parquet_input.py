"""Parquet: rows as records, read from slices that a process of its own wrote; a hostile file costs it alone."""

import io
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_inputs import ROOMY, contents, read_chunks, read_rows, stored_input
from workers.batch.inputs.parquet_input import ParquetReader
from workers.batch.inputs.reader import InputReader, ReaderLost

MOST_ROW_BYTES = 2**16
TABLE = pa.table({"user_id": range(1, 11), "name": [f"n{number}" for number in range(10)]})


def parquet(table: pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


def reader_of(root: Path, data: bytes) -> InputReader:
    return ParquetReader(stored_input(root, data), MOST_ROW_BYTES)


def test_rows_are_records_in_chunks(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, parquet(TABLE, row_group_size=4))

    chunks = read_chunks(reader, ChunkLimits(most_rows=3, most_bytes=10**6))

    assert [len(chunk) for chunk in chunks] == [3, 3, 3, 1]
    assert contents([row for chunk in chunks for row in chunk]) == TABLE.to_pylist()


def test_places_name_the_columns_and_a_slice(tmp_path: Path) -> None:
    places = [draft.place for draft in reader_of(tmp_path, parquet(TABLE)).plan(ROOMY)]

    assert places == [{"slice": "slices/1.000001.arrow", "columns": ["user_id", "name"]}]
    assert (tmp_path / "job" / "slices" / "1.000001.arrow").exists()


def test_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput):
        list(reader_of(tmp_path, parquet(TABLE.slice(0, 0))).plan(ROOMY))


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + bytes(99), b"PAR1" + bytes(9) + b"\1\0\0\0PAR1"]
)
def test_what_is_no_parquet_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"no Parquet file|cut off|cannot be read"):
        list(reader_of(tmp_path, data).plan(ROOMY))


def test_process_that_ends_by_itself_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end_in_child(monkeypatch, tmp_path, signal.SIGSEGV)

    with pytest.raises(InvalidInput, match="ended with code -11"):
        list(reader_of(tmp_path, parquet(TABLE)).plan(ROOMY))


def test_process_that_is_ended_by_others_says_nothing_about_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_in_child(monkeypatch, tmp_path, signal.SIGKILL)

    with pytest.raises(ReaderLost, match="SIGKILL"):
        list(reader_of(tmp_path, parquet(TABLE)).plan(ROOMY))


def test_line_that_was_cut_off_says_nothing_about_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end_in_child(monkeypatch, tmp_path, signal.SIGKILL, first='cat > /dev/null; printf \'["columns", ["user_\'')

    with pytest.raises(ReaderLost, match="SIGKILL"):
        list(reader_of(tmp_path, parquet(TABLE)).plan(ROOMY))


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGKILL, ReaderLost), (signal.SIGSEGV, InvalidInput)], ids=["by others", "by itself"]
)
def test_process_that_took_no_order_is_judged_by_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, error: type[Exception]
) -> None:
    end_in_child(monkeypatch, tmp_path, number, first=":")
    # More than a pipe takes before somebody reads it.
    folder = replace(stored_input(tmp_path, b""), job_id="a" * 2**20)

    with pytest.raises(error):
        list(ParquetReader(folder, MOST_ROW_BYTES).plan(ROOMY))


def test_process_ends_with_who_reads_it(tmp_path: Path) -> None:
    drafts = reader_of(tmp_path, parquet(TABLE)).plan(ChunkLimits(most_rows=1, most_bytes=10**6))
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    # What other tests have started may live as long as their suite.
    before = set(children.read_text().split())
    next(drafts)
    assert set(children.read_text().split()) - before

    drafts.close()  # type: ignore[attr-defined]

    assert not set(children.read_text().split()) - before


def test_slice_that_was_changed_is_refused(tmp_path: Path) -> None:
    reader = reader_of(tmp_path, parquet(TABLE))
    (draft,) = reader.plan(ROOMY)
    (tmp_path / "job" / "slices" / "1.000001.arrow").write_bytes(b"changed")

    with pytest.raises(InvalidInput, match="changed or cut off"):
        list(reader.rows(draft.place, 1))


def end_in_child(
    monkeypatch: pytest.MonkeyPatch, root: Path, number: signal.Signals, *, first: str = "cat > /dev/null"
) -> None:
    """Have a program in the place of the process that ends by a signal, once it has done what comes `first`."""
    program = root / "program"
    program.write_text(f"#!/bin/sh\n{first}\nkill -{number.value} $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_row_that_is_too_large_is_a_bad_one(tmp_path: Path) -> None:
    sizes = [3, MOST_ROW_BYTES + 1, 5, 2 * MOST_ROW_BYTES, 0]
    table = pa.table({"id": range(5), "image": [b"x" * size for size in sizes], "tags": [[1], [2], [3], [4], None]})

    rows = read_rows(reader_of(tmp_path, parquet(table)))

    good = {0: [1], 2: [3], 4: None}
    assert contents(rows) == [
        {"id": number, "image": b"x" * sizes[number], "tags": good[number]} if number in good else "row_too_large"
        for number in range(5)
    ]
    written = (tmp_path / "job" / "slices" / "1.000001.arrow").stat().st_size
    assert written < MOST_ROW_BYTES
