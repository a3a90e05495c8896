"""A head goes out with what follows it, and alone where nothing does."""

import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from deploy.joined_head import JOINED_BYTES, JoinedHead

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture
def sock() -> socket.socket:
    mock: socket.socket = create_autospec(socket.socket, instance=True)
    return mock


def sent(sock: socket.socket) -> list[bytes]:
    """Return what each system call sent."""
    return [call.args[0] for call in sock.sendall.call_args_list]  # type: ignore[attr-defined]


def test_head_and_small_body_are_one_piece(sock: socket.socket) -> None:
    joined = JoinedHead(sock)
    joined.sendall(HEAD)
    joined.sendall(b"body")
    joined.flush()

    assert sent(sock) == [HEAD + b"body"]


def test_large_body_is_not_copied(sock: socket.socket) -> None:
    body = bytes(JOINED_BYTES + 1)
    joined = JoinedHead(sock)
    joined.sendall(HEAD)
    joined.sendall(body)

    assert sent(sock) == [HEAD, body]


def test_head_without_body_goes_at_the_end(sock: socket.socket) -> None:
    joined = JoinedHead(sock)
    joined.sendall(HEAD)
    assert sent(sock) == []

    joined.flush()
    joined.flush()
    assert sent(sock) == [HEAD]


def test_body_that_looks_like_a_head_follows_the_head(sock: socket.socket) -> None:
    joined = JoinedHead(sock)
    joined.sendall(HEAD)
    joined.sendall(HEAD)
    joined.sendall(b"rest")

    assert b"".join(sent(sock)) == HEAD + HEAD + b"rest"


def test_failed_answer_sends_no_head(sock: socket.socket) -> None:
    joined = JoinedHead(sock)
    joined.sendall(HEAD)
    joined.shutdown(socket.SHUT_RDWR)
    joined.flush()

    assert sent(sock) == []


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_whatever_is_sent_otherwise_comes_behind_the_head(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = pair
    (tmp_path / "file").write_bytes(b"file")
    joined = JoinedHead(ours)
    joined.sendall(HEAD)
    with (tmp_path / "file").open("rb") as file:
        joined.sendfile(file)
    joined.sendall(HEAD)
    joined.send(b"piece")

    assert theirs.recv(4096) == HEAD + b"file" + HEAD + b"piece"


def test_the_rest_is_the_sockets_own(pair: tuple[socket.socket, socket.socket]) -> None:
    assert JoinedHead(pair[0]).fileno() == pair[0].fileno()
