"""Jobs that recommend: rows as bodies and as records, and what is answered to them."""

import json
from typing import Any

import pytest

from app.errors import InvalidFields, InvalidInput, ModelFailed, UnreadableBody
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from app.scenarios.job_recommendations import RecommendationJobs
from app.scenarios.recommendations import decode_row
from model_store.manifest import Manifest

KIND = RecommendationJobs()
MANIFEST = Manifest(task="ranking")
MODEL = b'{"name":"recommender","version":1,"variant":null}'


def read(content: Content, input_format: InputFormat = InputFormat.PARQUET) -> AskedRow:
    return KIND.reader(input_format, MANIFEST)(content)


def rows_of(asked: AskedRow) -> list[tuple[int, int, list[int]]]:
    return [(row.user_id, row.k, row.exclude) for row in map(decode_row, asked.rows)]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'{"user_id":7}', [(7, 10, [])]),
        (b'{"user_ids":[7,-1],"k":3,"exclude":[9,2]}', [(7, 3, [2, 9]), (-1, 3, [2, 9])]),
        ({"user_id": 7, "k": None, "exclude": None}, [(7, 10, [])]),
        ({"user_id": None, "user_ids": [7, 8], "k": 3, "exclude": [2]}, [(7, 3, [2]), (8, 3, [2])]),
        ({"user_id": "7", "k": "", "exclude": "[9, 2]"}, [(7, 10, [2, 9])]),
        ({"user_id": "", "user_ids": "[7,8]"}, [(7, 10, []), (8, 10, [])]),
    ],
)
def test_bodies_and_records_ask_for_the_same(content: Content, rows: list[Any]) -> None:
    assert rows_of(read(content)) == rows


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b'{"user_id":"7"}', {"user_id"}),
        ({"user_id": "seven"}, {"user_id"}),
        ({"user_id": 7.5}, {"user_id"}),
        ({"user_id": float("nan")}, {"user_id"}),
        ({"user_id": b"7"}, {"user_id"}),
        ({"user_id": "99999999999999999999999"}, {"user_id"}),
        ({"user_id": '7,"k":5'}, {"user_id"}),
        ({"user_id": 7, "user_ids": [8]}, {"user_id"}),
        ({"user_id": None}, {"user_id"}),
        ({"user_id": 7, "k": 0, "exclude": [1, 1]}, {"k"}),
        ({"user_id": 7, "wanted": 3}, {"wanted"}),
    ],
)
def test_what_the_route_refuses_is_a_bad_row(content: Content, fields: set[str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        read(content)

    assert set(caught.value.errors) == fields


@pytest.mark.parametrize("body", [b"", b"{", b'{"user_id":\xff}'])
def test_a_line_that_is_no_json_is_a_bad_row(body: bytes) -> None:
    with pytest.raises(UnreadableBody, match="not valid JSON"):
        read(body, InputFormat.NDJSON)


def test_a_row_is_answered_as_the_route_answers() -> None:
    one = KIND.answer(read(b'{"user_id":7}'), [b'{"user_id":7,"items":[],"cold_start":true}'], MODEL)
    assert json.loads(one) == {"user_id": 7, "items": [], "cold_start": True, "model": json.loads(MODEL)}

    failed = ModelFailed("It failed.")
    two = json.loads(KIND.answer(read(b'{"user_ids":[7,8]}'), [b'{"user_id":7}', failed], MODEL))
    assert [result["user_id"] for result in two["results"]] == [7, 8]
    assert two["results"][1]["error"]["code"] == failed.code
    assert set(one and two) <= set(KIND.columns)


def test_the_failure_of_a_lone_user_is_the_rows() -> None:
    with pytest.raises(ModelFailed):
        KIND.answer(read(b'{"user_id":7}'), [ModelFailed("It failed.")], MODEL)


def test_a_table_needs_users_and_nothing_that_no_body_has() -> None:
    KIND.check_columns(["user_id", "k"], MANIFEST)

    with pytest.raises(InvalidInput, match="'user_id' or 'user_ids'"):
        KIND.check_columns(["k"], MANIFEST)
    with pytest.raises(InvalidInput, match="'user'"):
        KIND.check_columns(["user_id", "user"], MANIFEST)
