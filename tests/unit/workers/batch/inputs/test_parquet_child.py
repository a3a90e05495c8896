"""The process that reads Parquet: what it tells, and that a file which takes too much memory takes it from nobody."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.infra.job_files import INPUT
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_inputs import JOB_ID, ROOMY, folder_at, stored_input
from workers.batch.inputs import parquet_child
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_child import Order, run

MIB = 2**20


def write_input(root: Path, table: pa.Table, **options: Any) -> JobFolder:
    (root / JOB_ID).mkdir()
    pq.write_table(table, root / JOB_ID / INPUT, **options)
    return folder_at(root)


def told(capfdbinary: pytest.CaptureFixture[bytes]) -> list[Any]:
    return [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]


def test_columns_slices_and_end_are_told(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    folder = write_input(tmp_path, pa.table({"a": [1, 2, 3]}))

    run(Order(folder, ChunkLimits(most_rows=2, most_bytes=MIB), 64 * MIB, os.getpid()))

    slices = [["slice", "slices/1.000001.arrow", 2], ["slice", "slices/1.000002.arrow", 1]]
    assert told(capfdbinary) == [["columns", ["a"]], *slices, ["end"]]


def test_error_is_told_in_the_place_of_the_end(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run(Order(stored_input(tmp_path, b"{}\n"), ROOMY, 64 * MIB, os.getpid()))

    assert told(capfdbinary) == [["error", "invalid_input_file", "The input is no Parquet file."]]


def answer_to(order: Order) -> list[Any]:
    command = [sys.executable, "-m", parquet_child.__name__]
    child = subprocess.run(command, input=pickle.dumps(order), capture_output=True, check=True, timeout=120)
    return [json.loads(line) for line in child.stdout.splitlines()]


def test_text_that_is_repeated_takes_no_more_memory_than_is_allowed(tmp_path: Path) -> None:
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 4096), pa.array(["x" * (32 * MIB)]))
    folder = write_input(tmp_path, pa.table({"text": repeated}), store_schema=False, compression="zstd")

    *_, last = answer_to(Order(folder, ROOMY, 64 * MIB, os.getpid()))

    assert last[:2] == ["error", "invalid_input_file"]
    assert "takes more than 200000000 bytes" in last[2]


def test_row_of_many_nulls_takes_no_more_memory_than_is_allowed(tmp_path: Path) -> None:
    count = 2**26
    nulls = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count, pa.int8()))
    folder = write_input(tmp_path, pa.table({"list": nulls}))
    assert folder.input_bytes() < MIB

    *_, last = answer_to(Order(folder, ROOMY, 64 * MIB, os.getpid()))

    assert last[:2] == ["error", "invalid_input_file"]
