"""One packet for a small answer: gunicorn sends the head and the body one by one, each with a system call."""

import socket
from typing import Any, Final

HEAD_START: Final = b"HTTP/1."
HEAD_END: Final = b"\r\n\r\n"
# Joining copies the piece; beyond this a second call costs less.
JOINED_BYTES: Final = 64 * 1024


class JoinedHead:
    """A connection for the length of one request. A head waits for what follows it, at the latest for `flush`.

    Everything else is the socket's own, and goes out behind the head that waits.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Return what the socket itself has."""
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """Send a piece behind the head that waits; a head begins to wait."""
        if not self._head and data.startswith(HEAD_START) and data.endswith(HEAD_END):
            self._head = data
            return
        if self._head and len(data) <= JOINED_BYTES:
            head, self._head = self._head, b""
            self._sock.sendall(head + data)
            return

        self.flush()
        self._sock.sendall(data)

    def send(self, data: bytes, flags: int = 0) -> int:
        """Send as much of a piece as goes, behind the head that waits."""
        self.flush()
        return self._sock.send(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file behind the head that waits."""
        self.flush()
        return self._sock.sendfile(file, offset, count)

    def shutdown(self, how: int) -> None:
        """End the connection; a head that still waits would begin an answer that has failed."""
        self._head = b""
        self._sock.shutdown(how)

    def flush(self) -> None:
        """Send the head that waits, if one does."""
        if self._head:
            head, self._head = self._head, b""
            self._sock.sendall(head)
