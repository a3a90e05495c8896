"""Bodies of requests for recommendations: what they ask for, or which field is wrong."""

import json
from typing import Any

import pytest

from app.errors import InvalidFields, UnreadableBody
from app.scenarios.recommendation_requests import LARGEST_DIAGNOSED, read_request
from app.scenarios.recommendations import RankingRow, decode_row

LARGEST = 2**63 - 1
# Before a body, this makes it too long to be looked at whole.
PADDING = b" " * LARGEST_DIAGNOSED


def body(**members: Any) -> bytes:
    return json.dumps(members).encode()


def faults(data: bytes) -> dict[str, list[str]]:
    with pytest.raises(InvalidFields) as caught:
        read_request(data)
    return caught.value.errors


def test_one_user_is_a_row_and_the_subject() -> None:
    request = read_request(body(user_id=4711, k=3, exclude=[9, -5, 7]))

    assert [decode_row(row) for row in request.rows] == [RankingRow(4711, 3, [-5, 7, 9])]
    assert (request.is_single, request.subject) == (True, "4711")


def test_several_users_are_rows_in_their_order() -> None:
    request = read_request(body(user_ids=[5, -(2**63), LARGEST], exclude=[1]))

    assert [decode_row(row).user_id for row in request.rows] == request.user_ids == [5, -(2**63), LARGEST]
    assert all(
        decode_row(row) == RankingRow(user, 10, [1]) for row, user in zip(request.rows, request.user_ids, strict=True)
    )
    assert (request.is_single, request.subject) == (False, "")


def test_a_list_of_one_user_is_a_list() -> None:
    assert not read_request(body(user_ids=[5])).is_single


def test_the_order_of_what_is_excluded_makes_no_other_row() -> None:
    assert (
        read_request(body(user_id=1, exclude=[3, 1, 2])).rows == read_request(body(exclude=[1, 2, 3], user_id=1)).rows
    )


@pytest.mark.parametrize("members", [{"k": 1000}, {"k": 1}, {"exclude": list(range(1000))}])
def test_the_most_that_may_be_asked_is_read(members: dict[str, Any]) -> None:
    assert len(read_request(body(user_ids=list(range(256)), **members)).rows) == 256


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"user_id": None}, "user_id"),
    ({"user_id": 1.0}, "user_id"),
    ({"user_id": 1.5}, "user_id"),
    ({"user_id": "1"}, "user_id"),
    ({"user_id": True}, "user_id"),
    ({"user_id": [1]}, "user_id"),
    ({"user_id": {}}, "user_id"),
    ({"user_id": LARGEST + 1}, "user_id"),
    ({"user_id": 2**64}, "user_id"),
    ({"user_id": -(10**400)}, "user_id"),
    ({}, "user_id"),
    ({"k": 5}, "user_id"),
    ({"user_id": 1, "user_ids": [1]}, "user_id"),
    ({"user_ids": []}, "user_ids"),
    ({"user_ids": 1}, "user_ids"),
    ({"user_ids": None}, "user_ids"),
    ({"user_ids": list(range(257))}, "user_ids"),
    ({"user_ids": [1, 2, 1]}, "user_ids"),
    ({"user_ids": [1, "2"]}, "user_ids.1"),
    ({"user_ids": [1, 2, 3.5]}, "user_ids.2"),
    ({"user_ids": [[1]]}, "user_ids.0"),
    ({"user_id": 1, "k": 0}, "k"),
    ({"user_id": 1, "k": -1}, "k"),
    ({"user_id": 1, "k": 1001}, "k"),
    ({"user_id": 1, "k": 2**70}, "k"),
    ({"user_id": 1, "k": "ten"}, "k"),
    ({"user_id": 1, "k": 10.0}, "k"),
    ({"user_id": 1, "k": None}, "k"),
    ({"user_id": 1, "exclude": 5}, "exclude"),
    ({"user_id": 1, "exclude": None}, "exclude"),
    ({"user_id": 1, "exclude": [7, 7]}, "exclude"),
    ({"user_id": 1, "exclude": list(range(1001))}, "exclude"),
    ({"user_id": 1, "exclude": [None]}, "exclude.0"),
    ({"user_id": 1, "exclude": [1, LARGEST + 1]}, "exclude.1"),
    ({"user_id": 1, "K": 5}, "K"),
    ({"user_id": 1, "x" * 5000: 5}, "x" * 64),
]


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["short", "long"])
@pytest.mark.parametrize(("members", "field"), WRONG, ids=lambda value: repr(value)[:40])
def test_what_is_wrong_is_named(members: dict[str, Any], field: str, padding: bytes) -> None:
    assert list(faults(padding + body(**members))) == [field]


def test_a_number_beyond_all_is_named() -> None:
    assert list(faults(b'{"user_id":1e999}')) == ["user_id"]


def test_several_faults_are_named_at_once() -> None:
    found = faults(body(user_ids=[1, "2"], k=0, exclude="all", limit=5))

    assert found == {
        "user_ids.1": ["Send an integer of 64 bits."],
        "k": ["Send an integer from 1 to 1000."],
        "exclude": ["Send at most 1000 integers of 64 bits."],
        "limit": ["There is no such field."],
    }


def test_a_body_of_strangers_names_some_of_them() -> None:
    assert len(faults(json.dumps({f"x{number}": 0 for number in range(5000)}).encode())) == 11


@pytest.mark.parametrize("data", [b"[]", b"5", b"null", b'"user_id"', b"[1]" * 1])
def test_a_body_that_is_no_object_is_refused(data: bytes) -> None:
    assert faults(data) == {"body": ["Send a JSON object."]}
    assert list(faults(PADDING + data)) == ["body"]


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"{}}", b'{"user_id":1} x', b"user_id=1", b"\xff", b'{"user_id":NaN}', b'{"user_id":Infinity}',
        b'{"user_id":01}', b"{'user_id':1}", b'\xef\xbb\xbf{"user_id":1}', '{"user_id":1}'.encode("utf-16"),
        b'{"user_id":1,}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    for padded in (data, PADDING + data):
        with pytest.raises(UnreadableBody):
            read_request(padded)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"user_id":NaN}', "line 1, column 12"),
        (b'{"user_id":1,\n "k":Infinity}', "line 2, column 6"),
        (b'{"x":' + b"[" * 5000, "line 1, column 1030"),
        (b'\xff{"user_id":1}', "line 1, column 1"),
        ('{"user_id":1,\n"é":"'.encode() + b'\xff"}', "line 2, column 6"),
        (b'{"user_id":1} x', "line 1, column 15"),
    ],
    ids=["nan", "infinity", "nesting", "utf8-first", "utf8-later", "more"],
)
def test_what_is_no_json_is_told_with_its_place(data: bytes, place: str) -> None:
    with pytest.raises(UnreadableBody, match=f"^The request body is not valid JSON: {place}\\.$"):
        read_request(data)


@pytest.mark.parametrize(
    "data",
    [b'{"user_id":"\\ud800"}', b'{"x":NaN}', b'{"x":' + b"[" * 5000, b'{"user_id":"\xff"}'],
)
def test_what_other_readers_refuse_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_request(data)


@pytest.mark.parametrize("member", [b'{"user_id":', b'{"x":', b'{"user_ids":['])
@pytest.mark.parametrize("nested", [b"[", b'{"a":'])
def test_endless_nesting_is_refused(member: bytes, nested: bytes) -> None:
    with pytest.raises((InvalidFields, UnreadableBody)):
        read_request(member + nested * 200_000)


def test_of_a_member_that_comes_twice_the_last_counts() -> None:
    assert read_request(b'{"user_id":1,"user_id":2}').user_ids == [2]
    assert list(faults(b'{"user_id":"1","user_id":2}')) == ["body"]
