"""Bodies: their size, their time, their end."""

import itertools
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request
from gunicorn.http.errors import InvalidChunkSize, NoMoreData
from werkzeug.test import create_environ

from app.errors import BodyTimeout
from app.web.body import (
    BYTES_PER_TURN,
    SMALL_BODY_BYTES,
    TURN_S,
    UNSIZED_BYTES,
    BoundedStream,
    Readable,
    init_body,
    read_images,
    read_raw,
    takes_at_most,
    takes_uploads,
)
from app.web.error_handlers import init_error_handlers
from tests.factories.settings import make_settings


class SlowStream:
    """A sender that pauses before each piece; gevent sees the pause."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s

    def read(self, _size: int = -1) -> bytes:
        gevent.sleep(self._pause_s)
        return b"x"


class BusyStream:
    """A body that takes the processor's time to be read, and lets nobody else run meanwhile."""

    def __init__(self, busy_s: float) -> None:
        self._busy_s = busy_s

    def read(self, _size: int = -1) -> bytes:
        end = time.monotonic() + self._busy_s
        while time.monotonic() < end:
            pass
        return b"x"


class BrokenStream:
    """A body that ends in an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, _size: int = -1) -> bytes:
        raise self._error


def send(app: Flask, stream: Readable, *, path: str = "/", **environ: Any) -> Response:
    """Post a stream as a WSGI server hands it over."""
    whole = {**create_environ(path, method="POST"), "wsgi.input": stream, **environ}
    return Response.from_app(app, whole)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask(__name__)
    init_error_handlers(app)
    init_body(app, make_settings(tmp_path, max_body_bytes=1000, body_timeout_s=0.05))

    @app.post("/")
    def size() -> str:
        return str(sum(map(len, read_images(4))))

    @app.post("/tiny")
    @takes_at_most("a has at most 8 items", limit_bytes=10)
    def tiny() -> str:
        return str(len(read_raw("some")))

    @app.post("/wide")
    @takes_at_most("a has at most 8000 items", limit_bytes=10_000)
    def wide() -> str:
        return str(len(read_raw("some")))

    return app


def test_body_at_the_limit_is_read(app: Flask) -> None:
    assert app.test_client().post("/", data=b"x" * 1000).text == "1000"


def test_announced_size_over_the_limit_is_refused_unread(app: Flask) -> None:
    unread = BytesIO(b"x" * 1001)

    response = send(app, unread, CONTENT_LENGTH="1001")

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")
    assert response.json["detail"] == "The request body is over the limit of 1000 bytes."
    assert unread.tell() == 0


@pytest.mark.parametrize(("path", "most"), [("/tiny", 10), ("/wide", 1000)])
def test_a_view_may_read_less_than_others_but_never_more_than_the_setting(app: Flask, path: str, most: int) -> None:
    client, chunked = app.test_client(), {"wsgi.input_terminated": True}

    assert client.post(path, data=b"x" * most).text == str(most)
    assert f"{most} bytes: a has at most 8" in client.post(path, data=b"x" * (most + 1)).json["detail"]
    assert send(app, BytesIO(b"x" * (most + 1)), path=path, **chunked).status_code == 413


def test_chunked_body_is_refused_where_it_passes_the_limit(app: Flask) -> None:
    response = send(app, BytesIO(b"x" * 5000), **{"wsgi.input_terminated": True})

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")


def test_chunked_body_at_the_limit_is_read(app: Flask) -> None:
    assert send(app, BytesIO(b"x" * 1000), **{"wsgi.input_terminated": True}).data == b"1000"


def test_form_over_the_limit_is_refused(app: Flask) -> None:
    content_type = "multipart/form-data; boundary=b"
    form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n' + b"x" * 1000 + b"\r\n--b--\r\n"
    response = send(app, BytesIO(form), CONTENT_TYPE=content_type, **{"wsgi.input_terminated": True})

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")


def test_body_that_stops_arriving_is_408(app: Flask) -> None:
    response = send(app, SlowStream(30.0), CONTENT_LENGTH="10")

    assert (response.status_code, response.json["code"]) == (408, "body_timeout")
    assert response.json["retryable"] is True


def test_dripping_body_has_one_time_in_all(app: Flask) -> None:
    response = send(app, SlowStream(0.01), CONTENT_LENGTH="1000")

    assert response.status_code == 408


def test_body_that_broke_off_is_400(app: Flask) -> None:
    response = send(app, BytesIO(b"half"), CONTENT_LENGTH="8", **{"wsgi.input_terminated": True})

    assert (response.status_code, response.json["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize("error", [InvalidChunkSize(b"zz"), NoMoreData(b""), ConnectionResetError()])
def test_body_that_cannot_be_received_is_400(app: Flask, error: Exception) -> None:
    response = send(app, BrokenStream(error), **{"wsgi.input_terminated": True})

    assert (response.status_code, response.json["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=b"])
@pytest.mark.parametrize(
    "form", [b"garbage", b'--b\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\nx']
)
def test_malformed_form_is_400(app: Flask, content_type: str, form: bytes) -> None:
    response = app.test_client().post("/", data=form, content_type=content_type)

    assert (response.status_code, response.json["code"]) == (400, "unreadable_body")


def test_only_routes_that_take_uploads_read_large_bodies(tmp_path: Path) -> None:
    app = Flask(__name__)
    init_error_handlers(app)
    init_body(app, make_settings(tmp_path))
    app.add_url_rule("/small", "small", lambda: str(len(request.get_data())), methods=["POST"])
    app.add_url_rule("/large", "large", takes_uploads(lambda: str(len(request.get_data()))), methods=["POST"])
    body = b"x" * (SMALL_BODY_BYTES + 1)

    statuses = {path: app.test_client().post(path, data=body).status_code for path in ("/small", "/large")}

    assert statuses == {"/small": 413, "/large": 200}


def test_next_request_is_fine_after_a_refused_one(app: Flask) -> None:
    client = app.test_client()
    client.post("/", data=b"x" * 1001)

    assert client.post("/", data=b"fine").text == "4"


def test_forms_have_the_same_time(app: Flask) -> None:
    @app.post("/form")
    def form() -> str:
        return str(len(request.form))

    urlencoded = "application/x-www-form-urlencoded"
    response = send(app, SlowStream(30.0), path="/form", CONTENT_LENGTH="10", CONTENT_TYPE=urlencoded)

    assert response.status_code == 408


def test_long_body_lets_others_run() -> None:
    turns = itertools.count()
    other = gevent.spawn(lambda: next(turns))
    stream = BoundedStream(BytesIO(b"x" * BYTES_PER_TURN), limit_bytes=BYTES_PER_TURN, limit_s=5.0)

    stream.read(BYTES_PER_TURN)

    assert other.ready()


def test_body_without_a_length_is_read_little_by_little() -> None:
    body = b"x" * (2 * UNSIZED_BYTES)
    sized, unsized = (
        BoundedStream(BytesIO(body), limit_bytes=len(body), limit_s=5.0, is_sized=is_sized)
        for is_sized in (True, False)
    )

    assert sized.read(len(body)) == body
    assert [len(unsized.read(len(body))) for _ in range(3)] == [UNSIZED_BYTES, UNSIZED_BYTES, 0]


def test_reads_that_take_long_let_others_run() -> None:
    other = gevent.spawn(lambda: None)
    stream = BoundedStream(BusyStream(TURN_S), limit_bytes=10, limit_s=5.0)

    stream.read(1)

    assert other.ready()


def test_chunked_bodies_are_read_as_ones_without_a_length(app: Flask) -> None:
    asked: list[int] = []

    class Asked(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size or 0)
            return super().read(size)

    response = send(app, Asked(b"x" * 900), **{"wsgi.input_terminated": True})

    assert response.data == b"900"
    assert set(asked) == {UNSIZED_BYTES}


def test_spent_time_is_not_given_again() -> None:
    stream = BoundedStream(SlowStream(30.0), limit_bytes=10, limit_s=0.01)

    for _ in range(2):
        with pytest.raises(BodyTimeout):
            stream.read(1)
