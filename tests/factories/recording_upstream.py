"""What stands behind nginx in some tests: it writes down what reaches it, byte by byte, and answers all the same."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class RecordingUpstream(socketserver.ThreadingTCPServer):
    """A server of kept-alive connections that answers every request with `answer`.

    `heads` are the heads of all requests so far, in the order they came.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.heads: list[bytes] = []
        self.answer = ANSWER

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def headers(self, name: str) -> list[str]:
        """Return what the last request said under a name, line by line."""
        lines = self.heads[-1].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return [value.strip() for told, _, value in pairs if told.lower() == name.lower()]


class _Conversation(socketserver.StreamRequestHandler):
    server: RecordingUpstream

    def handle(self) -> None:
        while head := self._head():
            self.server.heads.append(head)
            length = _LENGTH.search(head)
            self.rfile.read(int(length[1]) if length else 0)
            self.wfile.write(self.server.answer)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        return head


@contextmanager
def recording_upstream() -> Iterator[RecordingUpstream]:
    """Run one on a port of its own."""
    with RecordingUpstream() as upstream:
        thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield upstream
        finally:
            upstream.shutdown()
            thread.join()
