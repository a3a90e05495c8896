"""What gunicorn answers instead of its own HTML."""

import json

import pytest
from gunicorn.http.errors import InvalidHeader, InvalidResponseHeader, LimitRequestLine, UnsupportedTransferCoding

from app.web.security_headers import SECURITY_HEADERS
from deploy.refusals import INTERNAL, refusal_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidHeader("<script>"), 400, "malformed_request"),
        (LimitRequestLine(5000, 4094), 414, "uri_too_long"),
        (UnsupportedTransferCoding("gzip"), 501, "unsupported_transfer_coding"),
        (InvalidResponseHeader("ours"), 500, "internal_error"),
        (KeyError("ours"), 500, "internal_error"),
    ],
)
def test_refusal_is_a_whole_problem_that_repeats_nothing(error: Exception, status: int, code: str) -> None:
    head, body = refusal_of(error).encode("r1").split(b"\r\n\r\n")

    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d" % len(body) in head
    assert (problem["status"], problem["code"], problem["retryable"]) == (status, code, False)
    assert problem["request_id"] == "r1"
    assert b"X-Request-ID: r1" in head
    assert b"script" not in body


def test_it_carries_the_headers_of_every_answer() -> None:
    head = INTERNAL.encode("r1").split(b"\r\n\r\n")[0].decode("ascii").split("\r\n")

    assert {f"{name}: {value}" for name, value in SECURITY_HEADERS} <= set(head)


def test_clients_of_v2_find_the_sentence_where_they_look_for_it() -> None:
    problem = json.loads(INTERNAL.encode("r1").split(b"\r\n\r\n")[1])

    assert problem["error"] == problem["detail"]


def test_what_the_client_did_not_do_is_ours() -> None:
    assert refusal_of(InvalidResponseHeader("x")) is INTERNAL
