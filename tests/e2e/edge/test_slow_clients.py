"""Hundreds of clients that begin requests and do not end them: others are served as if they were not there."""

import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.e2e.edge.test_smuggling import connections_to
from tests.factories.nginx import Nginx
from tests.factories.raw_http import Place
from tests.factories.stack import Stack
from tests.factories.waiting import PATIENCE_S

pytestmark = pytest.mark.long

SLOW = 300
# As deploy/nginx.conf has them.
HEADER_TIMEOUT_S, BODY_TIMEOUT_S = 10.0, 20.0
# Who had to wait for a slow client would wait for longer.
SERVED_WITHIN_S = HEADER_TIMEOUT_S / 2

HALF_HELLO = b"\x16\x03\x01"
HALF_HEAD = b"GET /health/live HTTP/1.1\r\nHost: galley\r\nX-Slow: a"
HALF_BODY = b"POST /api/v1/recommendations HTTP/1.1\r\nHost: galley\r\nContent-Length: 99\r\n\r\n{"


@contextmanager
def slow_clients(nginx: Nginx) -> Iterator[list[socket.socket]]:
    """Open connections, and begin a handshake on some of them, a request's head or its body on others."""
    silent, speaking = Place(nginx.port), Place(nginx.port, nginx.tls)
    with ExitStack() as held:
        clients = []
        for place, beginning in ((silent, HALF_HELLO), (speaking, HALF_HEAD), (speaking, HALF_BODY)):
            for _ in range(SLOW):
                clients.append(held.enter_context(place.connect("127.0.0.4")))
                clients[-1].sendall(beginning)
        yield clients


def ended(clients: list[socket.socket], within_s: float) -> int:
    """Wait until the other side has closed all of them, and return how many it has."""
    deadline, count = time.monotonic() + within_s, 0
    with selectors.DefaultSelector() as waiting:
        for number, client in enumerate(clients):
            client.setblocking(False)
            waiting.register(client, selectors.EVENT_READ, number)
        while count < len(clients) and time.monotonic() < deadline:
            for key, _ in waiting.select(1.0):
                client = clients[key.data]
                if has_ended(client):
                    waiting.unregister(client)
                    count += 1
    return count


def has_ended(client: socket.socket) -> bool:
    """Read what has come, and say whether nothing more will."""
    try:
        while client.recv(65536):
            pass
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except ConnectionResetError:
        return True

    return True


def test_slow_clients_hold_up_nobody_and_are_let_go(nginx: Nginx, guarded: Stack, caller: httpx.Client) -> None:
    with slow_clients(nginx) as clients:
        took_s = []
        for number in range(100):
            asked = time.monotonic()
            assert caller.post("/api/v1/recommendations", json={"user_id": number + 1}).status_code == 200
            took_s.append(time.monotonic() - asked)
        served = len(connections_to(guarded))
        assert ended(clients, BODY_TIMEOUT_S + PATIENCE_S) == len(clients)

    assert max(took_s) < SERVED_WITHIN_S
    # What has not come whole is no affair of Galley's.
    assert served < SLOW / 10
