"""The bytes under a WebSocket, over a pair of sockets, wrapped as servers do."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import socket

from app.web.sockets.wire import SocketWire

PATIENCE_S = 5.0


@pytest.fixture
def ends() -> Iterator[tuple[SocketWire, Any]]:
    server, client = socket.socketpair()
    with server, client:
        methods = {name: getattr(server, name) for name in ("recv", "sendall", "close")}
        yield SocketWire(SimpleNamespace(_sock=server, **methods)), client


def test_what_has_no_room_is_left_and_nobody_waits(ends: tuple[SocketWire, Any]) -> None:
    wire, client = ends
    data, sent = b"x" * 2**22, 0
    with gevent.Timeout(PATIENCE_S):
        while more := wire.send_some(data):
            sent += more
        received = 0
        while received < sent:
            received += len(client.recv(2**20))

    assert 0 < sent == received


def test_a_cut_is_the_end_for_both(ends: tuple[SocketWire, Any]) -> None:
    wire, client = ends
    waiting = gevent.spawn(wire.recv, 1)
    gevent.idle()
    wire.cut()
    wire.cut()

    assert (waiting.get(timeout=PATIENCE_S), client.recv(1)) == (b"", b"")
