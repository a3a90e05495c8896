"""Bodies of requests to classify texts, good and bad."""

import json
from typing import Any

import pytest

from app.errors import LONGEST_NAME, InvalidFields, UnreadableBody
from app.scenarios.text import MAX_TEXT_BYTES
from app.scenarios.text_requests import LARGEST_DIAGNOSED, MAX_TEXTS, read_request

TOO_LONG = "€" * (MAX_TEXT_BYTES // 3 + 1)


def body(**members: Any) -> bytes:
    """Return a request's body."""
    return json.dumps(members).encode()


@pytest.mark.parametrize("text", ["", "Grüße 🚣", "\0", "x" * MAX_TEXT_BYTES])
def test_one_text_is_one_row(text: str) -> None:
    assert read_request(body(text=text)) == [text.encode()]


def test_several_texts_are_as_many_rows() -> None:
    texts = [f"text {number}" for number in range(MAX_TEXTS)]

    assert read_request(body(texts=texts)) == [text.encode() for text in texts]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({}, ["text"]),
        ({"text": "a", "texts": ["b"]}, ["text"]),
        ({"text": None}, ["text"]),
        ({"text": 1, "texts": [1], "top_k": 3}, ["text", "texts.0", "top_k"]),
        ({"texts": []}, ["texts"]),
        ({"texts": "abc"}, ["texts"]),
        ({"texts": ["a"] * (MAX_TEXTS + 1)}, ["texts"]),
        ({"texts": ["a", None, "b", ["c"]]}, ["texts.1", "texts.3"]),
        ({"text": TOO_LONG}, ["text"]),
        ({"texts": ["a", TOO_LONG]}, ["texts.1"]),
        ({"text": "a", "x" * 300: 1}, ["x" * LONGEST_NAME]),
    ],
)
def test_fields_that_are_wrong_are_named(members: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_request(body(**members))

    assert list(caught.value.errors) == fields


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"text": "a"', b'{"text": "\\ud800"}', b'{"text": "\xff"}', b'{"other": 1, "text": "\\ud800"}'],
)
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_request(data)


@pytest.mark.parametrize("data", [b"[]", b'"text"', b"1", b'{"text": 1, "text": "a"}'])
def test_what_is_no_request_is_told_so(data: bytes) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_request(data)

    assert list(caught.value.errors) == ["body"]


def test_a_long_body_is_not_looked_through() -> None:
    strangers = body(text="a", **{f"{number}{'x' * 99}": [[]] for number in range(1000)})
    with pytest.raises(InvalidFields) as caught:
        read_request(strangers)

    assert len(strangers) > LARGEST_DIAGNOSED
    assert caught.value.errors == {"body": ["Send a JSON object: text, or texts, of which there are 1 to 256."]}
