"""Bodies that no HTTP library would send: too large, never ending, never coming."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.factories.stack import CLASSIFICATIONS, Stack, running_stack

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def impatient(stack: Stack) -> Iterator[Stack]:
    """A stack that waits only a second for a body, and takes none over a million bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BODY_TIMEOUT_S", "1")
        patch.setenv("MAX_BODY_BYTES", "1000000")
        with running_stack(like=stack) as other:
            yield other


def ask(stack: Stack, *headers: str, body: bytes = b"") -> bytes:
    """Send a request as it stands and return all that comes back."""
    head = [
        f"POST {CLASSIFICATIONS} HTTP/1.1",
        "Host: galley",
        f"Authorization: Bearer {stack.token()}",
        "Content-Type: image/png",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        return receive(connection)


def receive(connection: socket.socket) -> bytes:
    """Read one answer: until its body is whole, or the other side closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if lengths and len(body) >= int(lengths[0].split(b":")[1]):
            break
    return received


def test_announced_size_over_the_limit_is_refused_before_it_comes(impatient: Stack) -> None:
    answer = ask(impatient, "Content-Length: 999999999")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code":"body_too_large"' in answer


def test_chunked_body_is_refused_at_the_limit(impatient: Stack) -> None:
    chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
    answer = ask(impatient, "Transfer-Encoding: chunked", body=chunk * 4)

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", [b"", b"\x89PNG"])
def test_body_that_stops_coming_is_timed_out(impatient: Stack, sent: bytes) -> None:
    started = time.monotonic()
    answer = ask(impatient, "Content-Length: 1000", body=sent)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_timeout"' in answer
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, b"malformed_request"),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414, b"uri_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, b"headers_too_large"),
        (b"GET / HTTP/1.1\r\nContent-Length: <b>\r\n\r\n", 400, b"malformed_request"),
    ],
)
def test_bytes_that_are_no_request_get_a_problem_too(stack: Stack, sent: bytes, status: int, code: bytes) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as connection:
        connection.sendall(sent)
        head, _, body = receive(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert b"X-Request-ID: " in head
    assert b'"code":"%s"' % code in body
    assert b"<b>" not in body


def test_next_request_is_fine(impatient: Stack) -> None:
    picture = impatient.picture.read_bytes()
    ask(impatient, "Content-Length: 1000")

    answer = ask(impatient, f"Content-Length: {len(picture)}", body=picture)

    assert answer.startswith(b"HTTP/1.1 200")
