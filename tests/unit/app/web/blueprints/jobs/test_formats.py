"""The format of an upload: told by its name, checked by its bytes."""

from pathlib import Path

import pytest

from app.errors import InvalidFields, InvalidName
from app.web.blueprints.jobs.formats import format_of, stored_name

USTAR = bytes(257) + b"ustar\x0000"


@pytest.mark.parametrize(
    ("file_name", "stored"),
    [
        ("rows.ndjson", "input.ndjson"),
        ("ROWS.JSONL", "input.ndjson"),
        ("a.b.csv", "input.csv"),
        ("/tmp/x.parquet", "input.parquet"),
        ("../../x.zip", "input.zip"),
        ("x.tar", "input.tar"),
        ("x.tar.gz", "input.tar"),
        ("x.tgz", "input.tar"),
    ],
)
def test_name_tells_the_format(file_name: str, stored: str) -> None:
    assert stored_name(file_name) == stored


@pytest.mark.parametrize("file_name", ["", "rows", "rows.json", "rows.xlsx", "csv", "x.csv.gz", "y" * 1000])
def test_other_names_are_refused(file_name: str) -> None:
    with pytest.raises(InvalidName, match=r"ends in \.ndjson") as caught:
        stored_name(file_name)

    assert len(caught.value.detail) < 250


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("input.ndjson", b'{"user_id":1}\n'),
        ("input.csv", b"user_id\n1\n"),
        ("input.csv", "größe\n".encode("latin-1")),
        ("input.parquet", b"PAR1 and more PAR1"),
        ("input.zip", b"PK\x03\x04..."),
        ("input.zip", b"PK\x05\x06" + bytes(18)),
        ("input.tar", USTAR),
        ("input.tar", b"\x1f\x8b\x08..."),
    ],
)
def test_bytes_that_may_be_of_it_pass(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    assert f"input.{format_of(tmp_path / name)}" == name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("input.ndjson", b"PAR1 and more PAR1"),
        ("input.csv", b"PK\x03\x04..."),
        ("input.csv", b"\x1f\x8b\x08..."),
        ("input.csv", "user_id\n1\n".encode("utf-16")),
        ("input.parquet", b"PAR1 but cut off"),
        ("input.parquet", b"PK\x03\x04..."),
        ("input.parquet", b"P"),
        ("input.zip", b"PAR1 and more PAR1"),
        ("input.tar", b"PK\x03\x04..."),
        ("input.tar", b"user_id\n1\n"),
    ],
)
def test_bytes_of_another_format_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidFields) as caught:
        format_of(tmp_path / name)

    assert list(caught.value.errors) == ["input"]
