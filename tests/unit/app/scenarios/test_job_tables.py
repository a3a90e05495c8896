"""Columns and cells of tables."""

from typing import Any

import msgspec
import pytest

from app.errors import InvalidInput
from app.scenarios.job_tables import as_json, check_columns, present, textual

KNOWN = ("user_id", "user_ids", "k")


@pytest.mark.parametrize("columns", [["user_id"], ["k", "user_ids"], ["user_id", "user_ids", "k"]])
def test_columns_that_all_mean_something_are_taken(columns: list[str]) -> None:
    check_columns(columns, known=KNOWN, any_of=KNOWN[:2])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["k"], "no column 'user_id' or 'user_ids'"),
        (["user_id", "usr", "K"], "mean nothing: 'usr', 'K'; there are 'user_id', 'user_ids', 'k'"),
        (["user_id", "x" * 100], f"mean nothing: '{'x' * 64}';"),
        (["user_id", *map(str, range(1000))], "'9'; there are"),
    ],
)
def test_columns_that_do_not_are_named(columns: list[str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check_columns(columns, known=KNOWN, any_of=KNOWN[:2])


def test_all_columns_that_are_needed_are_asked_for_at_once() -> None:
    check_columns(["k", "user_id"], known=KNOWN, needed=("user_id", "k"))
    check_columns([], known=KNOWN)

    with pytest.raises(InvalidInput, match="no column 'user_id', 'k'"):
        check_columns(["user_ids"], known=KNOWN, needed=("user_id", "user_ids", "k"))


def test_cells_that_hold_nothing_are_left_out() -> None:
    assert present({"a": None, "b": "", "c": 0, "d": False, "e": [], "f": b""}) == {
        "c": 0,
        "d": False,
        "e": [],
        "f": b"",
    }


@pytest.mark.parametrize(
    ("cell", "json"),
    [
        ("17", b"17"),
        (" [1, 2] ", b"[1, 2]"),
        ("99999999999999999999999", b"99999999999999999999999"),
        ("seven", b'"seven"'),
        ('1,"k":5', b'"1,\\"k\\":5"'),
        ("[" * 5000, b'"' + b"[" * 5000 + b'"'),
        (17, b"17"),
        ([1, 2], b"[1,2]"),
    ],
)
def test_text_that_is_json_is_not_quoted(cell: Any, json: bytes) -> None:
    assert msgspec.json.encode(as_json(cell)) == json


def test_bytes_are_no_text() -> None:
    assert [textual(cell) for cell in ("a", b"a", 7, None)] == ["a", None, 7, None]
