"""Forms go to disk part by part; whatever is wrong with one is told by the part's name."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from werkzeug.test import create_environ

from app.infra import disk
from app.web.body import Readable, init_body, takes_artifacts
from app.web.error_handlers import init_error_handlers
from app.web.uploads import DECODER_BYTES, PartRule, check_room_for_body, receive_form
from model_store.layout import asset_path
from tests.factories.settings import make_settings
from tests.factories.uploads import form_body

RULES = {
    "file": PartRule(most_bytes=3_000_000, is_required=True, place=lambda _name: "file.bin"),
    "assets": PartRule(most_bytes=1000, most=3, place=asset_path),
    "note": PartRule(most_bytes=10),
    "told": PartRule(most_bytes=1000, place=lambda _name: "told.bin", is_hashed=True),
}
FILE = ("file", ("any.bin", b"bytes"))


class Endless:
    """A body of a head and then the same bytes for ever."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self._pieces: Iterator[bytes] = iter([head])
        self._piece = piece
        self.read_bytes = 0

    def read(self, _size: int = -1) -> bytes:
        piece = next(self._pieces, self._piece)
        self.read_bytes += len(piece)
        return piece


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "form"
    folder.mkdir()
    return folder


@pytest.fixture
def app(tmp_path: Path, folder: Path) -> Flask:
    app = Flask(__name__)
    init_error_handlers(app)
    init_body(app, make_settings(tmp_path, max_artifact_bytes=5_000_000))

    @app.post("/")
    @takes_artifacts
    def receive() -> dict[str, Any]:
        check_room_for_body(folder)
        form = receive_form(RULES, folder)
        return {"texts": {name: text.decode() for name, text in form.texts.items()}, "files": list(form.files)} | {
            path.name: digest for path, digest in form.digests.items()
        }

    return app


def post(app: Flask, *parts: tuple[str, tuple[str | None, bytes]]) -> Any:
    return app.test_client().post("/", **form_body(list(parts)))


def send(app: Flask, body: Readable, environ: dict[str, Any]) -> Response:
    """Post a stream as a WSGI server hands it over."""
    whole = create_environ("/", method="POST") | {"CONTENT_TYPE": "multipart/form-data; boundary=x"} | environ
    return Response.from_app(app, {**whole, "wsgi.input": body})


def test_files_go_to_disk_and_texts_come_back(app: Flask, folder: Path) -> None:
    content = bytes(range(256)) * 10_000
    parts = [("assets", ("a.txt", b"one")), ("note", (None, b"hello")), ("assets", ("b.txt", b"\r\n--two\r\n"))]

    answer = post(app, ("file", ("x", content)), *parts)

    assert answer.json == {"texts": {"note": "hello"}, "files": ["file", "assets"]}
    assert (folder / "file.bin").read_bytes() == content
    assert [(folder / f"assets/{name}.txt").read_bytes() for name in "ab"] == [b"one", b"\r\n--two\r\n"]


def test_digests_are_told_of_files_that_are_hashed(app: Flask) -> None:
    answer = post(app, FILE, ("told", ("x", b"bytes")))

    assert answer.json["files"] == ["file", "told"]
    assert answer.json["told.bin"] == hashlib.sha256(b"bytes").hexdigest()
    assert "file.bin" not in answer.json


@pytest.mark.parametrize(
    ("parts", "field", "reason"),
    [
        ([], "file", "missing"),
        ([("note", (None, b"x"))], "file", "missing"),
        ([FILE, ("surprise", (None, b"x"))], "surprise", "no such part"),
        ([FILE, ("s" * 5000, (None, b"x"))], "s" * 64, "no such part"),
        ([FILE, FILE], "file", "once"),
        ([("file", ("x", b""))], "file", "empty"),
        ([FILE, ("note", (None, b"x")), ("note", (None, b"y"))], "note", "once"),
        ([FILE, ("note", (None, b"x" * 11))], "note", "at most 10 bytes"),
        ([FILE, ("assets", ("a", b"x" * 1001))], "assets", "at most 1000 bytes"),
        ([("file", ("x", b"x" * 3_000_001))], "file", "at most 3000000 bytes"),
        ([FILE, *[("assets", (f"{number}", b"x")) for number in range(4)]], "assets", "at most 3 times"),
        ([FILE, ("assets", ("a", b"x")), ("assets", ("a", b"y"))], "assets", "Two files are named 'a'"),
        ([FILE, ("assets", ("a", b"x")), ("assets", ("a/b", b"y"))], "assets", "a file and a folder"),
        ([FILE, ("assets", ("a/b", b"x")), ("assets", ("a", b"y"))], "assets", "a file and a folder"),
        ([FILE, ("assets", ("../../etc/passwd", b"x"))], "assets", "cannot be a file"),
        ([FILE, ("assets", (None, b"x"))], "assets", "cannot be a file"),
    ],
)
def test_wrong_part_is_named(app: Flask, parts: list[Any], field: str, reason: str) -> None:
    answer = app.test_client().post("/", **form_body(parts or [("note", (None, b"x"))]))

    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])
    assert reason in answer.json["errors"][field][0]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\nbytes\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nbytes'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: \xff\r\n\r\nbytes\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"X: " + b"y" * 2 * DECODER_BYTES),
    ],
)
def test_what_is_no_form_is_unreadable(app: Flask, content_type: str, body: bytes) -> None:
    answer = app.test_client().post("/", data=body, content_type=content_type)

    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_body")


def test_body_that_breaks_off_is_unreadable(app: Flask) -> None:
    begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nhalf'

    answer = send(app, BytesIO(begun), {"CONTENT_LENGTH": "10000"})

    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_body")


def test_endless_body_is_stopped_at_its_limit(app: Flask) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    endless = Endless(head, b"x" * 65536)
    answer = send(app, endless, {"wsgi.input_terminated": True})

    assert answer.json["errors"] == {"file": ["This part may have at most 3000000 bytes."]}
    assert endless.read_bytes < 4_000_000


def test_announced_size_over_the_limit_is_refused(app: Flask) -> None:
    answer = send(app, BytesIO(), {"CONTENT_LENGTH": "5000001"})

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


def test_full_disk_is_told_before_the_body_is_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _folder: disk.shutil._ntuple_diskusage(9, 9, 0))

    answer = post(app, FILE)

    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "disk_full", "60")
