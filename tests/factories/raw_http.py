"""Bytes that no HTTP library would send, and all that is answered to them, with TLS or without."""

import re
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from tests.factories.waiting import PATIENCE_S

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id: ([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where to connect to: nginx with its TLS, or gunicorn itself."""

    port: int
    tls: ssl.SSLContext | None = None
    address: str = "127.0.0.1"

    def connect(self, source: str | None = None) -> socket.socket:
        """Return a connection that comes from `source`, one of this machine's own addresses."""
        plain = socket.create_connection((self.address, self.port), PATIENCE_S, (source or self.address, 0))
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1") if self.tls else plain

    def converse(self, data: bytes) -> "Answers":
        """Send bytes as they are and return all that comes until the other side closes."""
        with closing(self.connect()) as connection:
            try:
                connection.sendall(data)
                if not self.tls:
                    # Or who waits for the rest of a body would do so for a minute.
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                # It has said enough already, and what it said may still be read.
                pass
            return Answers(receive_all(connection))


@dataclass(frozen=True)
class Answers:
    """The answers of one connection as bytes."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """The statuses in order."""
        return [int(status) for status in _STATUS.findall(self.data)]

    @property
    def request_ids(self) -> list[str]:
        """What the answers say they answer."""
        return [name.decode() for name in _REQUEST_ID.findall(self.data)]


def receive_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes.

    :raises TimeoutError: when it does not.
    """
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        # Closed with bytes of ours unread.
        return received
    return received
