"""gzip and deflate both ways, and what is wrong with a compressed body."""

import gzip
import random
import zlib

import pytest

from app.errors import BodyTooLarge, UnreadableBody, UnsupportedEncoding
from app.web.compression import (
    DEFLATED_ON_HUB_BYTES,
    INFLATED_ON_HUB_BYTES,
    PIECE_BYTES,
    answer_encoding,
    body_encoding,
    deflate,
    inflate,
)

LIMIT = 4 * 2**20


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("", None), ("identity", None), ("gzip", "gzip"), (" GZIP ", "gzip"), ("x-gzip", "gzip"), ("deflate", "deflate")],
)
def test_encodings_that_are_read(header: str, encoding: str | None) -> None:
    assert body_encoding(header) == encoding


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, gzip", "gzip,deflate", "compress", "*"])
def test_encodings_that_are_not_read(header: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        body_encoding(header)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [0, 1, INFLATED_ON_HUB_BYTES, DEFLATED_ON_HUB_BYTES, PIECE_BYTES, 2**20])
def test_what_is_packed_is_unpacked_again(encoding: str, size: int) -> None:
    body = noise(size)

    assert inflate(deflate(body, encoding), encoding, limit_bytes=LIMIT) == body


def test_packed_bodies_are_what_others_read() -> None:
    assert gzip.decompress(deflate(b"tensors", "gzip")) == b"tensors"
    assert zlib.decompress(deflate(memoryview(b"tensors"), "deflate")) == b"tensors"


def test_limit_is_on_what_comes_out() -> None:
    assert len(inflate(gzip.compress(bytes(LIMIT)), "gzip", limit_bytes=LIMIT)) == LIMIT

    with pytest.raises(BodyTooLarge):
        inflate(gzip.compress(bytes(LIMIT + 1)), "gzip", limit_bytes=LIMIT)


def test_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(256 * 2**20), 9)

    with pytest.raises(BodyTooLarge):
        inflate(bomb, "gzip", limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"tensors", "promises"),
        (gzip.compress(b"tensors", mtime=0)[:-1], "breaks off"),
        (gzip.compress(noise(99), mtime=0)[:30], "breaks off"),
        (gzip.compress(b"tensors", mtime=0) + b"more", "goes on"),
        (zlib.compress(b"tensors"), "promises"),
        (gzip.compress(b"tensors", mtime=0)[:-8] + bytes(8), "promises"),
    ],
)
def test_broken_stream_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        inflate(body, "gzip", limit_bytes=LIMIT)


def test_what_follows_a_stream_that_ends_where_a_piece_ends_is_refused() -> None:
    sizes = range(PIECE_BYTES - 100, PIECE_BYTES)
    (packed,) = [packed for size in sizes if len(packed := zlib.compress(noise(size), 0)) == PIECE_BYTES]

    with pytest.raises(UnreadableBody, match="goes on"):
        inflate(packed + b"more", "deflate", limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate;q=1.0, gzip;q=0.5", "deflate"),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("br", None),
        ("*", None),
        ("identity;q=0.1, deflate", "deflate"),
        ("gzip;q=nonsense", None),
        (";;,=", None),
    ],
)
def test_answer_is_compressed_as_the_caller_names(header: str, encoding: str | None) -> None:
    assert answer_encoding(header) == encoding
