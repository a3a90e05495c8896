"""What happens to connections while a gunicorn worker drains."""

import socket
from collections.abc import Iterator

import pytest

from deploy.draining_worker import end_when_read, is_readable

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(5)
        yield server, client


def test_idle_connection_reads_its_end(pair: Pair) -> None:
    server, _ = pair
    end_when_read(server)

    assert server.recv(10) == b""


def test_request_that_has_arrived_is_read_and_answered(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"GET /")
    end_when_read(server)
    client.sendall(b" HTTP/1.1")
    server.sendall(b"answer")

    assert server.recv(100) == b"GET / HTTP/1.1"
    assert client.recv(100) == b"answer"


def test_readable_says_without_waiting(pair: Pair) -> None:
    server, client = pair

    assert not is_readable(server)
    client.sendall(b"x")
    assert is_readable(server)
