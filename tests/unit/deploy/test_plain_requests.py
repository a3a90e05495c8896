"""Plain requests are read as gunicorn would read them, all others not at all; answers stay on their lines."""

import random
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create
from hypothesis import given, settings

from deploy import plain_requests
from deploy.plain_requests import LARGEST_HEAD_BYTES, MOST_HEADERS, encode_answer, read_plain
from tests.factories.plain_heads import LINES, MUTATIONS, arrivals, plain_read, plain_request, with_line

PEER, LISTENER = ("127.0.0.1", 4711), ("127.0.0.1", 8000)
BODY = b'{"user_id":7}'
# What gunicorn knows besides the request.
SURROUNDINGS = (
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_SOFTWARE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "RAW_URI",
    "SCRIPT_NAME",
    "wsgi.",
    "gunicorn.",
)


@dataclass(frozen=True)
class Reading:
    """What a reader makes of the bytes on a connection."""

    environ: dict[str, Any]
    body: bytes
    rest: bytes


def gunicorns(data: bytes) -> Reading:
    """Return what gunicorn reads from bytes that arrived at once."""
    parser = RequestParser(Config(), iter([data]), PEER)
    request = next(parser)
    assert not request.should_close()
    _, environ = create(request, None, PEER, LISTENER, parser.cfg)
    asked = {name: value for name, value in environ.items() if not name.startswith(SURROUNDINGS)}
    return Reading(asked, environ["wsgi.input"].read(), parser.unreader.take_buffered())


def ours(data: bytes) -> Reading | None:
    """Return what is read without it, None for what is left to it."""
    request = read_plain(data)
    if request is None:
        return None

    environ = dict(request.environ)
    body = environ.pop("wsgi.input").read()
    return Reading({**environ, "SERVER_PROTOCOL": "HTTP/1.1"}, body, data[request.size_bytes :])


def check_alike(data: bytes) -> None:
    """Check that gunicorn reads the same from what is read here."""
    reading = ours(data)
    if reading is not None:
        assert reading == gunicorns(data)


@settings(max_examples=400, deadline=None)
@given(arrivals())
def test_whatever_is_read_is_what_gunicorn_reads(data: bytes) -> None:
    check_alike(data)


@pytest.mark.long
@settings(max_examples=30_000, deadline=None)
@given(arrivals())
def test_whatever_is_read_of_very_much_is_what_gunicorn_reads(data: bytes) -> None:
    check_alike(data)


@pytest.mark.parametrize("number", range(len(MUTATIONS)))
def test_each_change_is_read_alike_or_left(number: int) -> None:
    check_alike(MUTATIONS[number](plain_request(BODY, b"X-Subject: ann", b"Content-Type: text/plain")))
    check_alike(MUTATIONS[number](plain_read(b"X-Subject: ann") + plain_read()))


@pytest.mark.parametrize("headers", [(), (b"Content-Type: application/json", b"AUTHORIZATION: Bearer a.b", b"x-a: !")])
@pytest.mark.parametrize("path", [b"/", b"//twice", b"/v2/models/a-b_c.d/versions/1/infer", b"/a/../b"])
def test_a_plain_request_is_read(path: bytes, headers: tuple[bytes, ...]) -> None:
    data = plain_request(BODY, *headers, path=path)
    reading = ours(data)

    assert reading is not None
    assert (reading.environ["PATH_INFO"], reading.body, reading.rest) == (path.decode(), BODY, b"")
    assert reading == gunicorns(data)


@pytest.mark.parametrize("headers", [(), (b'If-None-Match: "a"', b"accept: */*", b"Content-Type: text/plain")])
def test_a_plain_read_is_read(headers: tuple[bytes, ...]) -> None:
    data = plain_read(*headers, path=b"/api/v1/jobs/0f")
    reading = ours(data + data)

    assert reading is not None
    assert (reading.environ["REQUEST_METHOD"], reading.body, reading.rest) == ("GET", b"", data)
    assert reading == gunicorns(data + data)


@pytest.mark.parametrize("line", [b"Content-Length: 0", b"Content-Length: 1", b"Expect: 100-continue", b"Upgrade: h2c"])
def test_a_read_that_tells_of_more_is_left(line: bytes) -> None:
    assert read_plain(plain_read(line)) is None


def test_requests_behind_each_other_are_read_one_by_one() -> None:
    bodies = [random.Random(number).randbytes(number + 1) for number in range(5)]
    data, read = b"".join(map(plain_request, bodies)), []
    while data:
        reading = ours(data)
        assert reading is not None
        data = reading.rest
        read.append(reading.body)

    assert read == bodies


def test_a_request_that_is_not_all_there_is_left() -> None:
    data = plain_request(BODY, b"X-Subject: ann")

    assert [size for size in range(len(data)) if read_plain(data[:size]) is not None] == []
    assert read_plain(data) is not None


# Each of these gunicorn reads as well, or refuses, in ways of its own; nothing is to be found out about them here.
LEFT = [line for line in LINES if line not in {b"Connection: Keep-Alive", b"X-Forwarded-Proto: https"}]
READ = {b"Script-Name: /api", b"Remote-User: admin", b"X-Subject: again", b"Content-Type: text/plain"}


@pytest.mark.parametrize("line", [line for line in LEFT if line not in READ and b"many" not in line], ids=repr)
def test_what_could_be_read_in_two_ways_is_left(line: bytes) -> None:
    assert read_plain(with_line(line)(plain_request(BODY))) is None


@pytest.mark.parametrize("size", [b"0", b"013", b"+13", b"1_3", b"13 ", b"", b"10000000", "\u0661".encode(), b"0xd"])
def test_lengths_are_plain_decimals(size: bytes) -> None:
    assert read_plain(plain_request(BODY, size=size)) is None


def test_heads_are_small_and_headers_few() -> None:
    bare = plain_request(BODY, b"X-Long: ")
    room = LARGEST_HEAD_BYTES - (len(bare) - len(BODY))
    many = [b"X-%d: a" % number for number in range(MOST_HEADERS - 1)]

    assert read_plain(plain_request(BODY, b"X-Long: " + b"a" * room)) is not None
    assert read_plain(plain_request(BODY, b"X-Long: " + b"a" * (room + 1))) is None
    assert read_plain(plain_request(BODY, *many[1:])) is not None
    assert read_plain(plain_request(BODY, *many)) is None


def test_invented_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {b"Content-Type": "CONTENT_TYPE", b"Content-Length": "CONTENT_LENGTH"}
    monkeypatch.setattr(plain_requests, "_names", names)
    for number in range(2 * plain_requests._MOST_NAMES):
        reading = ours(plain_request(BODY, b"X-Invented-%d: %d" % (number, number)))
        assert reading is not None
        assert reading.environ[f"HTTP_X_INVENTED_{number}"] == str(number)

    assert len(names) == plain_requests._MOST_NAMES


def test_an_answer_is_a_head_and_a_body() -> None:
    head, _, body = encode_answer(HTTPStatus.NOT_FOUND, [("X-A", "é"), ("Content-Length", "2")], b"{}").partition(
        b"\r\n\r\n"
    )
    lines = head.decode("latin-1").split("\r\n")

    assert (lines[0], body) == ("HTTP/1.1 404 Not Found", b"{}")
    assert lines[1].startswith("Server: gunicorn")
    assert lines[2].startswith("Date: ")
    assert lines[3:] == ["Connection: keep-alive", "X-A: é", "Content-Length: 2"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_no_header_leaves_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode_answer(HTTPStatus.OK, [("X-A", value)], b"")
