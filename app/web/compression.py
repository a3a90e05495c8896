"""Compressed bodies, gzip and deflate: read within a limit, written when the caller asks for it.

Only the inferences of /v2 use it: their clients unpack an answer there, and stumble over one anywhere else.
"""

import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from app.errors import BodyTooLarge, UnreadableBody, UnsupportedEncoding
from app.infra.off_hub import off_hub

# What zlib calls them: `deflate` is a zlib stream (RFC 9110 §8.4.1.2).
WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_ALIASES: Final = {"x-gzip": "gzip"}

# Up to these sizes a hop to another thread costs more than the work. Nothing shrinks to less than a 1032nd, so
# what is unpacked on the hub is at most 8 MiB: 8 ms.
INFLATED_ON_HUB_BYTES: Final = 8 * 1024
DEFLATED_ON_HUB_BYTES: Final = 32 * 1024

FASTEST: Final = 1
PIECE_BYTES: Final = 256 * 1024


def body_encoding(header: str) -> str | None:
    """Return how a body is compressed, None for not at all, from its Content-Encoding.

    :raises UnsupportedEncoding: when it is so in a way that is not read, or twice.
    """
    name = header.strip().lower()
    if name in ("", "identity"):
        return None

    encoding = _ALIASES.get(name, name)
    if encoding not in WINDOW_BITS:
        raise UnsupportedEncoding(name)

    return encoding


def inflate(body: bytes | bytearray, encoding: str, *, limit_bytes: int) -> bytes | bytearray:
    """Return the bytes behind a compressed body; large ones are unpacked off the hub.

    :raises BodyTooLarge: when they are more than `limit_bytes`; no more than that is ever held.
    :raises UnreadableBody: when the body is not of that encoding, breaks off or goes on behind its end.
    """
    if len(body) <= INFLATED_ON_HUB_BYTES:
        return _inflate(body, encoding, limit_bytes)

    return off_hub(_inflate, body, encoding, limit_bytes)


def deflate(body: bytes | memoryview, encoding: str) -> bytes:
    """Return `body` compressed; large ones are packed off the hub."""
    if len(body) <= DEFLATED_ON_HUB_BYTES:
        return _deflate(body, encoding)

    return off_hub(_deflate, body, encoding)


@lru_cache(maxsize=64)
def answer_encoding(header: str) -> str | None:
    """Return how to compress an answer, None for not at all, by the caller's Accept-Encoding.

    Only what the caller names counts, and gzip before deflate: whatever else it may take, it can do without.
    """
    accepted = parse_accept_header(header, Accept)
    wanted = {name.lower(): quality for name, quality in accepted if quality > 0}
    least = wanted.get("identity", 0.0)
    offered = [name for name in WINDOW_BITS if wanted.get(name, -1.0) >= least]
    return max(offered, key=lambda name: wanted[name], default=None)


def _inflate(body: bytes | bytearray, encoding: str, limit_bytes: int) -> bytearray:
    stream = zlib.decompressobj(WINDOW_BITS[encoding])
    inflated = bytearray()
    try:
        for piece in _inflated_pieces(stream, memoryview(body)):
            inflated += piece
            if len(inflated) > limit_bytes:
                raise BodyTooLarge(limit_bytes)
    except zlib.error as err:
        raise UnreadableBody(f"The request body is not the {encoding} that its Content-Encoding promises.") from err

    if not stream.eof:
        raise UnreadableBody(f"The {encoding} of the request body breaks off before its end.")

    return inflated


def _inflated_pieces(stream: "zlib._Decompress", body: memoryview) -> Iterator[bytes]:
    """Yield what comes out, in pieces that are copied fast: zlib lets other threads run, a copy does not."""
    for start in range(0, len(body), PIECE_BYTES):
        rest: bytes | memoryview = body[start : start + PIECE_BYTES]
        while rest:
            if stream.eof:
                raise UnreadableBody("The request body goes on behind the end of what is compressed.")
            yield stream.decompress(rest, PIECE_BYTES)
            rest = stream.unconsumed_tail or stream.unused_data
    # The last bytes that came in may stand for more than fitted into the last piece, but for 8 KiB at most.
    yield b"" if stream.eof else stream.decompress(b"", PIECE_BYTES)


def _deflate(body: bytes | memoryview, encoding: str) -> bytes:
    return zlib.compress(body, FASTEST, wbits=WINDOW_BITS[encoding])
