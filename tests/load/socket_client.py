"""One WebSocket of the load: says hello, keeps events in flight, times their answers and looks whether they are right.

It does what the contract asks of clients: numbers rise by one, no more are unanswered than the server grants, what
failed for the moment is sent again with its number, pings are answered.
"""

import math
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from tests.load.socket_frames import (
    FrameReader,
    Opcode,
    Unreadable,
    check_handshake,
    handshake,
    pong_frame,
    text_frame,
)
from tests.load.socket_tally import SocketTally
from tests.load.stream_payments import Payment, Payments

PATIENCE_S: Final = 20
_RECEIVED_AT_ONCE: Final = 1 << 16
_PONG: Final = text_frame(b'{"type":"pong"}')


class SocketClosed(Exception):
    """The server ended the socket; `code` is None where it did not say why."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"The server closed a socket with {code}.")
        self.code = code


class EventSocket:
    """A session over one socket. The socket blocks: whoever has many asks the kernel first which may be read."""

    def __init__(self, url: str, path: str, payments: Payments, *, token: str = "") -> None:
        """Connect and wait until the session is ready.

        :raises Unreadable: when the server refuses the socket.
        :raises SocketClosed: when it hangs up.
        """
        address = urlsplit(url)
        self._stream = socket.create_connection((str(address.hostname), int(address.port or 80)), PATIENCE_S)
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = FrameReader()
        self._payments = payments
        self._seq = 0
        self._unanswered: dict[int, tuple[float, str, bytes]] = {}
        try:
            self._stream.sendall(handshake(address.netloc, path, token))
            self._window = _credits(self._upgraded())
            _block(self._stream)
        except BaseException:
            self._stream.close()
            raise

    def fileno(self) -> int:
        """Return the number by which the kernel knows it."""
        return self._stream.fileno()

    @property
    def unanswered(self) -> int:
        """How many events are in flight."""
        return len(self._unanswered)

    def send_up_to(self, in_flight: int, *, most: float = math.inf) -> int:
        """Send at most so many events until so many are in flight, or all that are granted; return how many it sent."""
        count = min(min(in_flight, self._window) - len(self._unanswered), most)
        if count <= 0:
            return 0

        at = time.monotonic()
        self._stream.sendall(b"".join([self._next(at) for _ in range(int(count))]))
        return int(count)

    def receive(self, tally: SocketTally) -> None:
        """Take in what came.

        :raises SocketClosed: when the server ended the socket.
        :raises Unreadable: for what is no answer.
        """
        data = self._received()
        at = time.monotonic()
        for opcode, payload in self._reader.frames(data):
            if opcode == Opcode.TEXT:
                self._take(orjson.loads(payload), at, tally)
            elif opcode == Opcode.PING:
                self._stream.sendall(pong_frame(payload))
            elif opcode == Opcode.CLOSE:
                raise SocketClosed(int.from_bytes(payload[:2], "big") if payload else None)

    def say_bye(self) -> None:
        """Tell the server that no more comes."""
        with suppress(OSError):  # it has ended already
            self._stream.sendall(text_frame(b'{"type":"bye"}'))

    def abandon(self) -> int:
        """Let it go as it is; return how many events were in flight, which will have no answer."""
        lost = len(self._unanswered)
        self._unanswered.clear()
        self._stream.close()
        return lost

    def end(self, patience_s: float) -> None:
        """Read until the server has closed it, or has taken too long, and let it go."""
        self._stream.settimeout(patience_s)
        with suppress(OSError):  # a reset is an end as well
            while self._stream.recv(_RECEIVED_AT_ONCE):
                pass
        self._stream.close()

    def _next(self, at: float) -> bytes:
        payment: Payment = next(self._payments)
        self._seq += 1
        frame = text_frame(b'{"type":"event","seq":%d,"event":%b}' % (self._seq, payment.event))
        self._unanswered[self._seq] = at, payment.event_id, frame
        return frame

    def _take(self, said: dict[str, Any], at: float, tally: SocketTally) -> None:
        kind = said["type"]
        if kind in ("ping", "pong"):
            self._stream.sendall(_PONG if kind == "ping" else b"")
            return
        if said.get("seq") not in self._unanswered:
            raise Unreadable(f"This answers nothing that was asked: {said}")

        sent, event_id, frame = self._unanswered.pop(said["seq"])
        if kind == "score" and said["event_id"] == event_id and 0 <= said["score"] <= 1:
            tally.latencies_s.append(at - sent)
        elif kind == "error" and said["retryable"]:
            tally.retried[said["code"]] += 1
            self._unanswered[said["seq"]] = sent, event_id, frame
            self._stream.sendall(frame)
        else:
            tally.failed[said.get("code", "wrong answer")] += 1

    def _upgraded(self) -> Iterator[bytes]:
        """Read the head of the handshake's answer, say hello, then yield what comes in frames."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._received()
        head, _, rest = head.partition(b"\r\n\r\n")
        check_handshake(head)
        self._stream.sendall(text_frame(b'{"type":"hello"}'))
        while True:
            yield from (frame.payload for frame in self._reader.frames(rest) if frame.opcode == Opcode.TEXT)
            rest = self._received()

    def _received(self) -> bytes:
        try:
            data = self._stream.recv(_RECEIVED_AT_ONCE)
        except ConnectionResetError:
            data = b""
        if not data:
            raise SocketClosed(None)
        return data


def _credits(frames: Iterator[bytes]) -> int:
    """Wait for the frame that opens the session; return how many events it says may be in flight."""
    said = orjson.loads(next(frames))
    if said["type"] != "ready":
        raise Unreadable(f"The session did not become ready: {said}")

    return int(said["credits"])


def _block(stream: socket.socket) -> None:
    """Let calls block without a look at the clock each, but in the kernel not for longer than PATIENCE_S."""
    patience = struct.pack("ll", PATIENCE_S, 0)
    stream.setblocking(True)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        stream.setsockopt(socket.SOL_SOCKET, option, patience)
