"""Request bodies: refused by their announced size, read within a time, never held by a slow sender."""

import enum
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import IO, Any, Final, NoReturn, Protocol, TypeVar

import gevent
from flask import Flask, Request, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected
from werkzeug.formparser import FormDataParser

from app.errors import BodyTimeout, BodyTooLarge, EmptyBody, InvalidFields, TooManyImages, UnreadableBody
from app.settings import Settings
from app.web.auth import current_view

F = TypeVar("F", bound=Callable[..., Any])

# What routes read that take no uploads. To parse more JSON than that would hold the hub, and strangers may
# send it: POST /auth/token reads its body before it knows who asks.
SMALL_BODY_BYTES = 2**20
# The rows of a job, as JSON: a call that parses them holds the worker, off the hub too. More come as a file.
ROWS_BYTES: Final = 4 * 2**20

# After so many bytes other requests get their turn, even when all bytes of this body are there already.
BYTES_PER_TURN = 256 * 1024
CHUNK_BYTES = 64 * 1024
# The server takes a body without a length apart chunk by chunk, and a chunk may be of one byte: to read more of it at
# once would hold the hub. As would many such reads in a row, however little they bring.
UNSIZED_BYTES: Final = 4 * 1024
TURN_S: Final = 0.005

IMAGE_PART = "image"

BODY_PROBLEMS: Final = (UnreadableBody, BodyTimeout, BodyTooLarge)
"""What any route may answer that reads a body."""

_SIZE = "_galley_body_size"
_MOST = "_galley_most_bytes"
_WHY = "_galley_why_so_small"
_SEND_A_FILE: Final = "send so many rows as a file, in a form"


class BodySize(enum.Enum):
    """How large a body a view reads, and so how long it may take to arrive."""

    SMALL = "small"
    UPLOAD = "upload"
    ARTIFACT = "artifact"
    JOB = "job"
    """A form with a file, or ROWS in its place."""
    ROWS = "rows"


class Readable(Protocol):
    """What WSGI servers hand over as a body."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; nothing at the end."""


class BoundedStream:
    """A body of at most `limit_bytes` that must have arrived whole within `limit_s` seconds of its first read.

    Whatever reads a body (forms, JSON, raw bytes) reads through this, so that none of them waits for ever.
    NOTE: Werkzeug's own limit cuts a chunked body off at the limit and calls it whole; this one refuses it.
    """

    def __init__(self, stream: Readable, *, limit_bytes: int, limit_s: float, is_sized: bool = True) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self._limit_s = limit_s
        self._most_at_once = BYTES_PER_TURN if is_sized else UNSIZED_BYTES
        self._deadline: float | None = None
        self._size_bytes = 0
        self._turn_bytes = 0
        self._turn_began = 0.0

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, or all.

        :raises BodyTimeout: when the body's time is over.
        :raises BodyTooLarge: when more than its limit has arrived.
        :raises UnreadableBody: when its chunks are malformed, or the sender is gone.
        """
        if size is None or size < 0:
            return b"".join(iter(partial(self.read, CHUNK_BYTES), b""))

        if self._deadline is None:
            self._turn_began = time.monotonic()
            self._deadline = self._turn_began + self._limit_s
        with gevent.Timeout(max(0.0, self._deadline - time.monotonic()), BodyTimeout(self._limit_s)):
            data = self._receive(min(size, self._most_at_once))
        self._count(len(data))
        return data

    def _receive(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (OSError, ParseException) as err:
            raise UnreadableBody("The request body is malformed, or broke off before its end.") from err

    def _count(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        if self._size_bytes > self._limit_bytes:
            raise BodyTooLarge(self._limit_bytes)

        self._turn_bytes += size_bytes
        if self._turn_bytes >= BYTES_PER_TURN or time.monotonic() - self._turn_began >= TURN_S:
            gevent.sleep(0)
            self._turn_bytes, self._turn_began = 0, time.monotonic()


class GalleyRequest(Request):
    """Flask's request, with Galley's errors for malformed bodies.

    Uploads stay in memory: the body limit bounds them, and a disk would hold the hub.
    """

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        """Refuse a body that is not strict JSON."""
        raise UnreadableBody("The request body is not valid JSON.") from e

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        return BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        """Return a parser that raises ValueError on a malformed form; by default it would call the form empty."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser


def init_body(app: Flask, settings: Settings) -> None:
    """Bound the size and the arrival time of all request bodies of `app`."""
    app.request_class = GalleyRequest

    limits = {
        BodySize.SMALL: (min(settings.max_body_bytes, SMALL_BODY_BYTES), settings.body_timeout_s),
        BodySize.UPLOAD: (settings.max_body_bytes, settings.body_timeout_s),
        BodySize.ARTIFACT: (settings.max_artifact_bytes, settings.upload_timeout_s),
        BodySize.JOB: (settings.max_job_bytes, settings.upload_timeout_s),
        BodySize.ROWS: (min(settings.max_body_bytes, ROWS_BYTES), settings.body_timeout_s),
    }

    def bound() -> None:
        view = current_view()
        size: BodySize = getattr(view, _SIZE, BodySize.SMALL)
        if size is BodySize.JOB and not is_form():
            size = BodySize.ROWS
        limit_bytes, limit_s = limits[size]
        if own_bytes := getattr(view, _MOST, 0):
            limit_bytes = min(settings.max_body_bytes, own_bytes)
        if (request.content_length or 0) > limit_bytes:
            why = _SEND_A_FILE if size is BodySize.ROWS else getattr(view, _WHY, "")
            raise BodyTooLarge(limit_bytes, why=why)

        request.environ["wsgi.input"] = BoundedStream(
            request.environ["wsgi.input"],
            limit_bytes=limit_bytes,
            limit_s=limit_s,
            is_sized=request.content_length is not None,
        )

    app.before_request(bound)


def takes_uploads(view: F) -> F:
    """Let a view read bodies up to `max_body_bytes`. Stand it above `blp.response` and its kin."""
    setattr(view, _SIZE, BodySize.UPLOAD)
    return view


def takes_at_most(why: str, *, limit_bytes: int = SMALL_BODY_BYTES) -> Callable[[F], F]:
    """Let a view read bodies of so many bytes, and callers know which members a larger one has too much of.

    Such a one is not looked at.
    """

    def mark(view: F) -> F:
        setattr(view, _MOST, limit_bytes)
        setattr(view, _WHY, why)
        return view

    return mark


def takes_artifacts(view: F) -> F:
    """Let a view read bodies up to `max_artifact_bytes`, piece by piece. Stand it where `takes_uploads` stands."""
    setattr(view, _SIZE, BodySize.ARTIFACT)
    return view


def takes_job_inputs(view: F) -> F:
    """Let a view read forms up to `max_job_bytes`, piece by piece, and all else up to ROWS_BYTES."""
    setattr(view, _SIZE, BodySize.JOB)
    return view


def is_form() -> bool:
    """Whether the body of the request is a form with parts."""
    return request.mimetype == "multipart/form-data"


def body_pieces() -> Iterator[bytes]:
    """Yield the body of the request as it arrives; what was yielded is not kept.

    :raises InputError: when it is too large, too slow, malformed or broke off.
    """
    try:
        while piece := request.stream.read(CHUNK_BYTES):
            yield piece
    except ClientDisconnected as err:
        raise UnreadableBody("The request body broke off before its announced end.") from err


def read_images(limit: int) -> list[bytes]:
    """Return the images of the request: its parts named `image`, or the raw body; at most `limit`.

    :raises InputError: when there is none, there are too many, or the body broke off.
    """
    if request.mimetype != "multipart/form-data":
        return [read_raw(f"an image as the raw body, or as multipart parts named '{IMAGE_PART}'")]

    try:
        parts = request.files.getlist(IMAGE_PART)
    except ValueError as err:
        raise UnreadableBody("The multipart body is malformed, or broke off before its end.") from err

    if not parts:
        raise InvalidFields({IMAGE_PART: [f"Send 1 to {limit} files in parts named '{IMAGE_PART}'."]})
    if len(parts) > limit:
        raise TooManyImages(limit)

    images = [part.stream.read() for part in parts]
    if not any(images):
        raise EmptyBody("an image in each part")
    return images


def read_large(wanted: str) -> bytes | bytearray:
    """Return the body as it came; a large one grows piece by piece, since a copy of the whole would hold the hub.

    :raises EmptyBody: when there is none, where `wanted` was to be.
    :raises InputError: when it broke off.
    """
    if request.content_length is not None and request.content_length <= BYTES_PER_TURN:
        return read_raw(wanted)

    body = bytearray()
    for piece in body_pieces():
        body += piece
    if not body:
        raise EmptyBody(wanted)

    return body


def read_raw(wanted: str) -> bytes:
    """Return the body as it came, whatever its type.

    :raises EmptyBody: when there is none, where `wanted` was to be.
    :raises InputError: when it broke off.
    """
    body = request.get_data(cache=False)
    if not body:
        raise EmptyBody(wanted)
    if len(body) < (request.content_length or 0):
        raise UnreadableBody("The request body broke off before its announced end.")

    return body
