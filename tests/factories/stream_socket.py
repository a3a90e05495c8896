"""The client's end of a stream's WebSocket, down to the bytes: for frames that no WebSocket library would send."""

import base64
import json
import os
import socket
import ssl
from typing import Any, Final, Self

from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, TextMessage
from wsproto.frame_protocol import Opcode

PATIENCE_S: Final = 30.0
RECEIVED_AT_ONCE: Final = 65536
JUST_ENDED: Final = 1006
"""Stands for a connection that ended without a word."""


class Ended(Exception):
    """The server has closed the socket."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"The socket was closed with {code}: {reason}")
        self.code = code


def frame_bytes(opcode: int, payload: bytes = b"", *, fin: bool = True, is_masked: bool = True, rsv: int = 0) -> bytes:
    """Return a client's frame (RFC 6455 §5.2), right or wrong. Its mask is all zeros, which is one as well."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    mask_bit, size = is_masked << 7, len(payload)
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 1 << 16:
        head += bytes([mask_bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask_bit | 127]) + size.to_bytes(8, "big")
    return head + bytes(4 * is_masked) + payload


def text_bytes(text: str) -> bytes:
    """Return a whole text frame; lone surrogates stay what they are, which is no UTF-8."""
    return frame_bytes(Opcode.TEXT, text.encode("utf-8", "surrogatepass"))


def handshake_bytes(port: int, stream: str, *lines: str) -> bytes:
    """Return a request for a WebSocket, with further header lines."""
    head = [
        f"GET /api/v1/{stream}/stream HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()


class StreamSocket:
    """One WebSocket. Use it as a context manager."""

    def __init__(
        self,
        port: int,
        stream: str = "fraud",
        *lines: str,
        behind_handshake: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.wire = tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        self._frames = Frames(ConnectionType.CLIENT)
        self.seq = 0
        """The number of the last event that was sent."""
        try:
            self.wire.sendall(handshake_bytes(port, stream, *lines) + behind_handshake)
            self.head = self._upgrade()
        except BaseException:
            self.wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def put(self, *pieces: bytes) -> None:
        """Send bytes as they are; a server that has hung up is told of by what is heard."""
        try:
            for piece in pieces:
                self.wire.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def say(self, **members: Any) -> None:
        """Send a frame."""
        self.put(text_bytes(json.dumps(members)))

    def hear(self) -> dict[str, Any]:
        """Return the next frame.

        :raises Ended: when the socket was closed instead.
        """
        message = ""
        while True:
            for event in self._frames.events():
                if isinstance(event, CloseConnection):
                    self.put(self._frames.send(event.response()))
                    raise Ended(event.code, event.reason or "")
                if isinstance(event, TextMessage):
                    message += event.data
                    if event.message_finished:
                        heard: dict[str, Any] = json.loads(message)
                        return heard
            self._frames.receive_data(self._receive())

    def greet(self, token: str, **members: Any) -> dict[str, Any]:
        """Say hello, and return what the server says to it."""
        self.say(type="hello", token=token, **members)
        return self.hear()

    def close_code(self) -> int:
        """Read on until the socket was closed; return with what."""
        return self.hear_all()[1]

    def hear_all(self) -> tuple[list[dict[str, Any]], int]:
        """Return the frames that come until the socket is closed, and with what it is."""
        frames = []
        try:
            while True:
                frames.append(self.hear())
        except Ended as ended:
            return frames, ended.code

    def ask(self, event: dict[str, Any]) -> dict[str, Any]:
        """Send a payment with the next number, and return what comes back."""
        self.seq += 1
        self.say(type="event", seq=self.seq, event=event)
        return self.hear()

    def _upgrade(self) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._frames.receive_data(rest)
        return head

    def _receive(self) -> bytes:
        try:
            received = self.wire.recv(RECEIVED_AT_ONCE)
        except ConnectionResetError:
            received = b""
        if not received:
            raise Ended(JUST_ENDED)

        return received
