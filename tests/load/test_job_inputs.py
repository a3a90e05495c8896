"""Inputs have as many rows, or bytes, as were asked for, and the same ones each time."""

from pathlib import Path

import orjson
import pyarrow.parquet as pq

from tests.load.callers import USERS
from tests.load.job_inputs import write_fat_ndjson, write_ndjson, write_parquet


def test_parquet_names_known_users(tmp_path: Path) -> None:
    first, second = (pq.read_table(write_parquet(tmp_path / name, 1000)) for name in "ab")  # type: ignore[no-untyped-call]

    assert first.equals(second)
    users = first.column("user_id").to_pylist()
    assert (len(users), min(users) >= 1, max(users) <= USERS) == (1000, True, True)


def test_lines_are_bodies(tmp_path: Path) -> None:
    lines = write_ndjson(tmp_path / "rows", 10).read_bytes().splitlines()

    assert [sorted(orjson.loads(line)) for line in lines] == [["k", "user_id"]] * 10


def test_fat_lines_are_as_many_as_fill_the_file(tmp_path: Path) -> None:
    data = write_fat_ndjson(tmp_path / "rows", 50_000).read_bytes()

    lengths = [len(line) for line in data.splitlines(keepends=True)]
    assert len(data) - lengths[-1] < 50_000 <= len(data)
    assert min(lengths) > 10_000
