"""Wires pass on what is said, break off when they are cut, and let nothing through while they are held."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.wires import Wires, laid_wires

PATIENCE_S = 10.0
SHORT_S = 0.2
NAME = "wire"


@pytest.fixture(scope="module")
def wires() -> Iterator[Wires]:
    with laid_wires() as wires:
        yield wires


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_behind() -> None:
    """Let the process of wires stay for all tests of this file."""


@pytest.fixture
def ends(wires: Wires, tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection that goes over a wire."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        address = wires.open(NAME, at=f"unix:{tmp_path}/wire", to=f"{listener.getsockname()[1]}")
        near = socket.socket(socket.AF_UNIX)
        near.settimeout(PATIENCE_S)
        near.connect(address.removeprefix("unix:"))
        far, _ = listener.accept()
        far.settimeout(PATIENCE_S)
        with near, far:
            yield near, far


def test_both_ways(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.sendall(b"asked")
    assert far.recv(100) == b"asked"
    far.sendall(b"answered")
    assert near.recv(100) == b"answered"


def test_an_end_is_passed_on_and_what_was_said_before_it(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.sendall(b"last words")
    far.shutdown(socket.SHUT_WR)

    assert near.recv(100) == b"last words"
    assert near.recv(100) == b""


def test_a_reset_is_passed_on(ends: tuple[socket.socket, socket.socket]) -> None:
    """Whoever is killed before it read all that it was sent resets its connections."""
    near, far = ends
    near.sendall(b"asked")
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()

    assert is_over(near)


def test_cut_at_both_ends(wires: Wires, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.sendall(b"asked")
    assert far.recv(100) == b"asked"

    assert wires.cut(NAME) == 1
    for end in (near, far):
        assert is_over(end)


def is_over(end: socket.socket) -> bool:
    try:
        return end.recv(100) == b""
    except ConnectionResetError:
        return True


def test_held_and_released(wires: Wires, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    wires.hold(NAME)
    near.sendall(b"asked")
    far.settimeout(SHORT_S)
    with pytest.raises(TimeoutError):
        far.recv(100)

    wires.release(NAME)
    far.settimeout(PATIENCE_S)
    assert far.recv(100) == b"asked"


def test_a_part_that_is_not_there_is_told_by_an_end(wires: Wires, tmp_path: Path) -> None:
    address = wires.open("nowhere", to=f"unix:{tmp_path}/nobody")
    with socket.create_connection(("127.0.0.1", int(address)), timeout=PATIENCE_S) as near:
        assert is_over(near)


def test_words_that_are_not_known_are_not_taken_for_done(wires: Wires) -> None:
    with pytest.raises(RuntimeError, match="cut"):
        wires.cut("two words")
