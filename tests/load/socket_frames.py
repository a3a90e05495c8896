"""The client's side of WebSocket frames (RFC 6455): as little as a load of text frames needs, and as cheap.

A client has to mask what it sends. A mask of zeros is one, too, and leaves the bytes as they are: masks are there to
mislead proxies, and there is none here.
"""

import enum
from typing import NamedTuple

# FIN and text; FIN and a ping's answer. Then MASK, and the mask.
_TEXT, _PONG = b"\x81", b"\x8a"
_MASKED, _MASK = 0x80, bytes(4)
_SHORT, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127

# The example of RFC 6455 §1.3: what is asked with, and what proves that it was read.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Unreadable(Exception):
    """The server sent what this client does not read: a cut, masked or compressed frame, or no handshake."""


class Opcode(enum.IntEnum):
    """What a frame that is whole begins with."""

    TEXT = 0x81
    CLOSE = 0x88
    PING = 0x89
    PONG = 0x8A


class Frame(NamedTuple):
    """One frame of a server's."""

    opcode: int
    payload: bytes


def handshake(host: str, path: str, token: str = "") -> bytes:
    """Return the request that asks for a WebSocket without extensions."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def check_handshake(head: bytes) -> None:
    """Look whether the server agreed.

    :raises Unreadable: when it did not; the message is its answer.
    """
    if not head.startswith(b"HTTP/1.1 101 ") or ACCEPT.encode() not in head:
        raise Unreadable(f"The server refused a WebSocket: {head[:500]!r}")


def text_frame(payload: bytes) -> bytes:
    """Return a message of text as a client sends it."""
    return _TEXT + _masked_length(len(payload)) + _MASK + payload


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping."""
    return _PONG + _masked_length(len(payload)) + _MASK + payload


class FrameReader:
    """Cuts what a server sends into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that are whole by now.

        :raises Unreadable: for a frame that only a fuller client would read.
        """
        data = self._rest + data if self._rest else data
        found, at = [], 0
        while (place := _payload_place(data, at)) and place[1] <= len(data):
            found.append(Frame(data[at], data[slice(*place)]))
            at = place[1]
        self._rest = data[at:]
        return found


def _masked_length(size: int) -> bytes:
    if size <= _SHORT:
        return bytes((_MASKED | size,))
    if size < 2**16:
        return bytes((_MASKED | _TWO_BYTES,)) + size.to_bytes(2, "big")

    return bytes((_MASKED | _EIGHT_BYTES,)) + size.to_bytes(8, "big")


def _payload_place(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at `at` begins and ends; None when not even its length is there."""
    if len(data) < at + 2:
        return None
    if data[at] not in _OPCODES or data[at + 1] & _MASKED:
        raise Unreadable(f"A frame begins with {data[at : at + 2].hex()}.")

    size = data[at + 1]
    if size <= _SHORT:
        return at + 2, at + 2 + size
    start = at + (4 if size == _TWO_BYTES else 10)
    if len(data) < start:
        return None
    return start, start + int.from_bytes(data[at + 2 : start], "big")


_OPCODES = frozenset(Opcode)
