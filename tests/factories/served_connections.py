"""Connections that gunicorn's worker serves in this process: its own parser and loop, a web worker behind them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
import orjson
from gevent import socket
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.web.fast_path.lane import fast_path_of
from deploy.draining_worker import DrainingWorker, ListenerName
from tests.factories.plain_heads import plain_request
from tests.factories.web import WebWorker

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Received:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body's value."""
        return orjson.loads(self.body)


@dataclass
class Connection:
    """The client's end of a connection."""

    sock: Any
    greenlet: Any
    _buffer: bytes = field(default=b"", init=False)

    def send(self, *pieces: bytes) -> None:
        """Send pieces one by one, each after the other side has read what was there."""
        for piece in pieces:
            self.sock.sendall(piece)
            gevent.sleep(0.002)

    def receive(self) -> Received:
        """Return the next answer."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers["content-length"])
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Received(int(status.split()[1]), headers, body)

    def ask(self, *pieces: bytes) -> Received:
        """Send a request and return its answer."""
        self.send(*pieces)
        return self.receive()

    def is_over(self) -> bool:
        """Say whether the other side closed, with nothing left to read."""
        return not self._buffer and self.sock.recv(1) == b""

    def _more(self) -> None:
        received = self.sock.recv(65536)
        assert received, f"The connection ended behind {self._buffer!r}."
        self._buffer += received


class Serving:
    """A gunicorn worker without listeners, whose connections tests make."""

    def __init__(self, web: WebWorker, **settings: Any) -> None:
        config = Config()
        for name, value in {"keepalive": 5, **settings}.items():
            config.set(name, value)
        self.worker = DrainingWorker(1, os.getppid(), [], None, 30, config, Logger(config))
        self.worker.wsgi = web.app
        self.worker._lane = fast_path_of(web.app)
        self.parsed: list[str] = []
        """The paths that went through gunicorn's parser."""
        config.set("pre_request", lambda _worker, request: self.parsed.append(request.path))
        self._connections: list[Connection] = []

    def connect(self) -> Connection:
        """Return a new connection, served by a greenlet."""
        server, client = socket.socketpair()
        client.settimeout(PATIENCE_S)
        listener = ListenerName(("127.0.0.1", 8000))
        greenlet = gevent.spawn(self.worker.handle, listener, server, ("127.0.0.1", 4711))
        connection = Connection(client, greenlet)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """End all connections, and wait for the other side to notice."""
        for connection in self._connections:
            connection.sock.close()
        gevent.joinall([connection.greenlet for connection in self._connections], timeout=PATIENCE_S, raise_error=True)
        self.worker.tmp.close()


@contextmanager
def serving(web: WebWorker, **settings: Any) -> Iterator[Serving]:
    """Serve connections for the length of the block, by gunicorn's settings with these changed."""
    served = Serving(web, **settings)
    try:
        yield served
    finally:
        served.close()


def hot_request(body: bytes, bearer: Mapping[str, str], *headers: bytes, path: bytes = b"") -> bytes:
    """Return a request for recommendations, or to another path, with a caller's headers."""
    lines = [f"{name}: {value}".encode() for name, value in bearer.items()]
    path = path or b"/api/v1/recommendations"
    return plain_request(body, b"Content-Type: application/json", *lines, *headers, path=path)
