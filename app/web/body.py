"""Request bodies: refused by their announced size, read within a time, never held by a slow sender."""

import time
from functools import partial
from io import BytesIO
from typing import IO, Protocol

import gevent
from flask import Flask, Request, request

from app.errors import BodyTimeout, BodyTooLarge, EmptyBody, InvalidFields, TooManyImages, UnreadableBody
from app.settings import Settings

# After so many bytes other requests get their turn, even when all bytes of this body are there already.
BYTES_PER_TURN = 256 * 1024
CHUNK_BYTES = 64 * 1024

IMAGE_PART = "image"


class Readable(Protocol):
    """What WSGI servers hand over as a body."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; nothing at the end."""


class BoundedStream:
    """A body of at most `limit_bytes` that must have arrived whole within `limit_s` seconds of its first read.

    Whatever reads a body (forms, JSON, raw bytes) reads through this, so that none of them waits for ever.
    NOTE: Werkzeug's own limit cuts a chunked body off at the limit and calls it whole; this one refuses it.
    """

    def __init__(self, stream: Readable, *, limit_bytes: int, limit_s: float) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self._limit_s = limit_s
        self._deadline: float | None = None
        self._size_bytes = 0
        self._turn_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, or all.

        :raises BodyTimeout: when the body's time is over.
        :raises BodyTooLarge: when more than its limit has arrived.
        """
        if size is None or size < 0:
            return b"".join(iter(partial(self.read, CHUNK_BYTES), b""))

        if self._deadline is None:
            self._deadline = time.monotonic() + self._limit_s
        with gevent.Timeout(max(0.0, self._deadline - time.monotonic()), BodyTimeout(self._limit_s)):
            data = self._stream.read(size)
        self._count(len(data))
        return data

    def _count(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if self._size_bytes > self._limit_bytes:
            raise BodyTooLarge(self._limit_bytes)

        self._turn_bytes += size_bytes
        if self._turn_bytes >= BYTES_PER_TURN:
            self._turn_bytes = 0
            gevent.sleep(0)


class GalleyRequest(Request):
    """Flask's request, whose uploads stay in memory: the body limit bounds them, and a disk would hold the hub."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return BytesIO()


def init_body(app: Flask, settings: Settings) -> None:
    """Bound the size and the arrival time of all request bodies of `app`."""
    app.request_class = GalleyRequest

    def bound() -> None:
        if (request.content_length or 0) > settings.max_body_bytes:
            raise BodyTooLarge(settings.max_body_bytes)

        request.environ["wsgi.input"] = BoundedStream(
            request.environ["wsgi.input"], limit_bytes=settings.max_body_bytes, limit_s=settings.body_timeout_s
        )

    app.before_request(bound)


def read_images(limit: int) -> list[bytes]:
    """Return the images of the request: its parts named `image`, or the raw body; at most `limit`.

    :raises InputError: when there is none, there are too many, or the body broke off.
    """
    if request.mimetype != "multipart/form-data":
        return [_read_raw()]

    parts = request.files.getlist(IMAGE_PART)
    if not parts:
        raise InvalidFields({IMAGE_PART: [f"Send 1 to {limit} files in parts named '{IMAGE_PART}'."]})
    if len(parts) > limit:
        raise TooManyImages(limit)

    images = [part.stream.read() for part in parts]
    if not any(images):
        raise EmptyBody("an image in each part")
    return images


def _read_raw() -> bytes:
    body = request.get_data(cache=False)
    if not body:
        raise EmptyBody(f"an image as the raw body, or as multipart parts named '{IMAGE_PART}'")
    if len(body) < (request.content_length or 0):
        raise UnreadableBody("The request body broke off before its announced end.")

    return body
