"""What comes of rows: lines of results and errors, and results as a table."""

import csv
import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import InvalidFields, UnreadableImage
from app.scenarios.job_results import PIECE_BYTES, csv_header, csv_pieces, error_line, result_line

COLUMNS = ("name", "user_id", "cold_start", "items", "model")


def table_of(*lines: bytes) -> list[list[str]]:
    """Return results as a reader of CSV has them."""
    text = (csv_header(COLUMNS) + b"".join(csv_pieces(lines, COLUMNS))).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def line_of(row: int = 1, **members: Any) -> bytes:
    return json.dumps({"row": row, **members}).encode() + b"\n"


def test_a_result_is_the_answer_behind_its_row() -> None:
    assert result_line(7, b'{"user_id":5}') == b'{"row":7,"user_id":5}\n'


@pytest.mark.parametrize("name", ["a.png", 'bild "ä"\n.png'])
def test_a_name_stands_between_them(name: str) -> None:
    line = result_line(7, b'{"results":[]}', name)

    assert list(json.loads(line).items()) == [("row", 7), ("name", name), ("results", [])]
    assert line.count(b"\n") == 1


def test_bytes_of_a_name_that_are_no_utf8_are_written_out() -> None:
    name = b"caf\xe9.png".decode(errors="surrogateescape")

    assert json.loads(result_line(7, b'{"results":[]}', name))["name"] == "caf\\udce9.png"
    assert json.loads(error_line(7, UnreadableImage("truncated"), name))["name"] == "caf\\udce9.png"


def test_an_error_is_its_row_its_code_and_its_sentence() -> None:
    error = UnreadableImage("truncated")

    assert json.loads(error_line(3, error)) == {"row": 3, "code": error.code, "detail": error.detail}
    assert list(json.loads(error_line(3, error, "a.png"))) == ["row", "name", "code", "detail"]


def test_of_wrong_fields_an_error_says_what_is_wrong() -> None:
    line = json.loads(error_line(3, InvalidFields({"k": ["Send an integer."], "x": ["There is no such field."]})))

    assert line["detail"] == "k: Send an integer. x: There is no such field."


def test_members_are_columns_and_what_is_nested_stays_json() -> None:
    items = [{"item_id": 3, "title": 'A "quoted", title'}]
    header, cells = table_of(line_of(4, user_id=-5, cold_start=False, items=items, model={"version": 1}))

    assert header == ["row", *COLUMNS]
    assert cells[:4] == ["4", "", "-5", "false"]
    assert [json.loads(cell) for cell in cells[4:]] == [items, {"version": 1}]


def test_nothing_is_an_empty_cell() -> None:
    assert table_of(line_of(user_id=None), line_of(2)) == [
        ["row", *COLUMNS],
        ["1", "", "", "", "", ""],
        ["2", "", "", "", "", ""],
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-2.png", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(name: str) -> None:
    assert table_of(line_of(name=name))[1][1] == f"'{name}"


@pytest.mark.parametrize("name", ["a.png", "a=b", 'ä, "b"', "two\r\nlines", "a'b"])
def test_other_text_is_as_it_was(name: str) -> None:
    assert table_of(line_of(name=name))[1][1] == name


def test_of_no_results_there_is_the_header() -> None:
    assert csv_header(COLUMNS) == b"row,name,user_id,cold_start,items,model\r\n"
    assert list(csv_pieces([], COLUMNS)) == []


def test_pieces_come_before_the_last_line_is_read_and_make_up_the_whole() -> None:
    chosen = random.Random(5)
    lines = [line_of(row, name="x" * chosen.randrange(2000), user_id=row) for row in range(1, 500)]
    read: list[bytes] = []

    def watched() -> Iterator[bytes]:
        for line in lines:
            read.append(line)
            yield line

    pieces = csv_pieces(watched(), COLUMNS)
    first = next(pieces)
    assert PIECE_BYTES <= len(first) < 2 * PIECE_BYTES
    assert len(read) < len(lines) / 2

    rows = csv.reader(io.StringIO((first + b"".join(pieces)).decode(), newline=""))
    assert [row[2] for row in rows] == list(map(str, range(1, 500)))
