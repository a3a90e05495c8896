"""The bytes under a WebSocket: what a connection needs of them, and how they come from a socket of gevent's."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol


class InertThread:
    """In the place of the thread in which simple-websocket would read."""

    name = ""

    def __init__(self, target: Callable[[], None]) -> None:
        """Take the work that is not to be done."""

    def start(self) -> None:
        """Do nothing."""


SERVER_OPTIONS: Final = {"thread_class": InertThread}
"""For flask-sock's setting SOCK_SERVER_OPTIONS."""


class Wire(Protocol):
    """The bytes of a connection both ways."""

    def recv(self, size: int, /) -> bytes:
        """Wait for bytes; none at the end."""

    def send_some(self, data: bytes, /) -> int:
        """Send what the kernel has room for, and never wait; return how much that was."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it, waiting where the kernel has no room."""

    def cut(self) -> None:
        """End it both ways: whoever waits for bytes sees the end."""

    def close(self) -> None:
        """Let it go."""


class SocketWire:
    """A wire over a socket of gevent's, with whatever the server wrapped around it."""

    def __init__(self, outer: Any) -> None:
        """Take the socket as the server hands it over: what it read beforehand is received from there."""
        self._outer = outer
        self._kernels = _innermost(outer)
        self.recv = outer.recv
        self.sendall = outer.sendall
        self.close = outer.close

    def send_some(self, data: bytes) -> int:
        """Send what the kernel has room for."""
        try:
            return self._kernels.send(data)
        except BlockingIOError:
            return 0

    def cut(self) -> None:
        """End it under its reader; gevent's own shutdown would throw into that."""
        with suppress(OSError):
            self._kernels.shutdown(socket.SHUT_RDWR)


def _innermost(outer: Any) -> socket.socket:
    while (inner := getattr(outer, "_sock", None)) is not None:
        outer = inner
    found: socket.socket = outer
    return found
