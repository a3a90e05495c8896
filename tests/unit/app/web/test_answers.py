"""Answers: the same bytes and headers, in Flask's hands or without it, in one piece or several."""

import random
from http import HTTPStatus

import pytest

from app.errors import PreconditionFailed
from app.web.answers import PIECE_BYTES, Answer, unless_known


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 10**6])
@pytest.mark.parametrize("is_view", [True, False])
def test_pieces_are_the_body(size: int, is_view: bool) -> None:
    body = random.Random(size).randbytes(size)
    answer = Answer(memoryview(body) if is_view else body)
    pieces = list(answer.pieces())

    assert b"".join(pieces) == body
    assert all(0 < len(piece) <= PIECE_BYTES and type(piece) is bytes for piece in pieces)


@pytest.mark.parametrize("size", [0, 5, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 1])
def test_a_response_has_all_of_it(size: int) -> None:
    body = random.Random(size).randbytes(size)

    response = Answer(memoryview(body), "application/octet-stream", {"X-A": "b"}).response()

    assert (response.status_code, response.content_type) == (200, "application/octet-stream")
    assert (response.headers["X-A"], response.headers["Content-Length"]) == ("b", str(size))
    assert b"".join(response.iter_encoded()) == body


def test_a_large_response_is_not_copied_as_a_whole() -> None:
    response = Answer(bytes(PIECE_BYTES + 1)).response()

    assert response.is_streamed
    assert [len(piece) for piece in response.iter_encoded()] == [PIECE_BYTES, 1]


@pytest.mark.parametrize(
    ("variable", "value", "status"),
    [
        ("HTTP_IF_NONE_MATCH", "{}", HTTPStatus.NOT_MODIFIED),
        ("HTTP_IF_NONE_MATCH", '"other", W/{}', HTTPStatus.NOT_MODIFIED),
        ("HTTP_IF_NONE_MATCH", '"other"', HTTPStatus.OK),
        ("HTTP_IF_MATCH", "{}", HTTPStatus.OK),
    ],
)
def test_who_has_an_answer_already_is_sent_none(variable: str, value: str, status: HTTPStatus) -> None:
    answer = Answer(b"{}", headers={"X-A": "b"})
    tag = unless_known(answer, {}).headers["ETag"]

    known = unless_known(answer, {variable: value.format(tag)})

    assert (known.status, known.headers) == (status, {"X-A": "b", "ETag": tag})
    assert known.body == (b"" if status == HTTPStatus.NOT_MODIFIED else b"{}")
    assert unless_known(Answer(b"[]"), {}).headers["ETag"] != tag


def test_who_wants_another_answer_is_sent_none() -> None:
    with pytest.raises(PreconditionFailed):
        unless_known(Answer(b"{}"), {"HTTP_IF_MATCH": '"other"'})


def test_what_is_not_sent_is_not_told_of() -> None:
    assert Answer(b"", status=HTTPStatus.NOT_MODIFIED).entity_headers() == []
    assert Answer(b"{}").entity_headers() == [("Content-Type", "application/json"), ("Content-Length", "2")]
