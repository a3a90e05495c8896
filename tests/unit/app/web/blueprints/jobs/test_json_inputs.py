"""Rows that come in a body of JSON go to a file, a line each."""

import hashlib
from pathlib import Path

import orjson
import pytest

from app.errors import InvalidFields, UnreadableBody
from app.scenarios.job_inputs import InputFormat
from app.web.blueprints.jobs.json_inputs import receive_json
from app.web.blueprints.jobs.requests import MOST_PARAMETERS_BYTES


def refused(body: bytes, folder: Path) -> dict[str, list[str]]:
    with pytest.raises(InvalidFields) as caught:
        receive_json(body, folder / "input.ndjson")
    return caught.value.errors


def test_rows_become_lines(tmp_path: Path) -> None:
    path = tmp_path / "input.ndjson"
    body = b"""{"kind": "tensor", "model": "m", "version": 3, "parameters": {"max_error_share": 0},
        "inputs": [{"a": 1.50,\r\n "b": "two\\nlines"}, null, [12345678901234567890123], "\xc3\xa4"]}"""

    request, stored = receive_json(body, path)

    lines = b'{"a": 1.50,   "b": "two\\nlines"}\nnull\n[12345678901234567890123]\n"\xc3\xa4"\n'
    assert path.read_bytes() == lines
    assert (request.kind, request.model, request.version) == ("tensor", "m", "3")
    assert request.parameters == {"max_error_share": 0}
    assert (stored.path, stored.input_format) == (path, InputFormat.NDJSON)
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(lines).hexdigest(), len(lines))


def test_rows_need_not_fit_into_one_piece(tmp_path: Path) -> None:
    rows = [{"row": number, "text": "x" * 1000} for number in range(3000)]

    _, stored = receive_json(orjson.dumps({"inputs": rows, "kind": "images"}), tmp_path / "rows")

    assert [orjson.loads(line) for line in stored.path.read_bytes().splitlines()] == rows
    assert stored.size_bytes == stored.path.stat().st_size


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"kind":"images","inputs":[]}', "inputs"),
        (b'{"kind":"images"}', "inputs"),
        (b'{"inputs":[1]}', "kind"),
        (b'{"kind":"images","inputs":{"a":1}}', "inputs"),
        (b'{"kind":7,"inputs":[1]}', "kind"),
        (b'{"kind":"images","inputs":[1],"model":7}', "model"),
        (b'{"kind":"images","inputs":[1],"version":true}', "version"),
        (b'{"kind":"images","inputs":[1],"parameters":[]}', "parameters"),
        (b'{"kind":"images","inputs":[' + b"1," * 2**19 + b"1]}", "inputs"),
        (b'{"kind":"images","inputs":[1],"surprise":1}', "surprise"),
        (b"[1,2]", "body"),
    ],
)
def test_wrong_field_is_named(tmp_path: Path, body: bytes, field: str) -> None:
    assert list(refused(body, tmp_path)) == [field]


def test_parameters_are_few(tmp_path: Path) -> None:
    parameters = {"top_k": 3, "x": "y" * MOST_PARAMETERS_BYTES}

    body = orjson.dumps({"kind": "images", "inputs": [1], "parameters": parameters})

    assert list(refused(body, tmp_path)) == ["parameters"]


@pytest.mark.parametrize("row", [b"1e999", b'"\\ud8ff\\udcff"', b"[" * 200 + b"]" * 200])
def test_rows_are_not_taken_apart(tmp_path: Path, row: bytes) -> None:
    """What only shows then makes a bad row, as in a file."""
    _, stored = receive_json(b'{"kind":"images","inputs":[%b,2]}' % row, tmp_path / "rows")

    assert stored.path.read_bytes() == row + b"\n2\n"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b'{"kind":"images","inputs":[NaN]}', b'{"kind":"images","inputs":["\xff"]}',
        b'{"kind":"images","inputs":[' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_unreadable(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        receive_json(body, tmp_path / "input.ndjson")
