"""The launcher's calls, its token and what it tells of readiness, against a small HTTP server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.settings import Settings
from deploy.stack.access_token import fetch_token, read_admin
from deploy.stack.errors import CannotStart
from deploy.stack.local_http import base_url, call
from deploy.stack.readiness import describe, unready_parts
from tests.factories.settings import make_settings


class _Answers(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200
    body: ClassVar[Any] = {}
    raw: ClassVar[bytes | None] = None
    received: ClassVar[Any] = None

    def do_GET(self) -> None:
        payload = json.dumps(self.body).encode() if self.raw is None else self.raw
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_POST(self) -> None:
        type(self).received = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def answers() -> Iterator[type[_Answers]]:
    class Own(_Answers):
        port: ClassVar[int] = 0

    with HTTPServer(("127.0.0.1", 0), Own) as server:
        Own.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Own
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(answers: Any, tmp_path: Path) -> Settings:
    (tmp_path / "admin.env").write_text("GALLEY_CLIENT_ID=admin\nGALLEY_CLIENT_SECRET=a=b\n")
    return make_settings(tmp_path, port=answers.port)


def test_ready_stack_waits_for_nothing(settings: Settings) -> None:
    assert unready_parts(settings) == {}


def test_unready_parts_carry_their_reason(answers: Any, settings: Settings) -> None:
    parts = {"models": {"ready": False, "reason": "digits/1 is LOADING"}, "database": {"ready": True}}
    answers.status, answers.body = 503, {"ready": False, "parts": parts}

    assert unready_parts(settings) == {"models": "digits/1 is LOADING"}


def test_silent_web_tier_is_a_part_too(tmp_path: Path) -> None:
    assert list(unready_parts(make_settings(tmp_path, port=1))) == ["web"]


@pytest.mark.parametrize("raw", [b"<html>", b'"\xff\xfe"', b"[1, 2]", b"3", b""])
def test_another_program_is_nobody(answers: Any, settings: Settings, raw: bytes) -> None:
    answers.raw = raw

    with pytest.raises(ConnectionError, match="was not answered"):
        call(settings, "GET", "/health/ready")


def test_parts_are_described_in_one_line() -> None:
    assert describe({"models": "digits is LOADING", "database": ""}) == "models: digits is LOADING; database"


def test_token_is_asked_for_with_the_admin_secret(answers: Any, settings: Settings) -> None:
    answers.body = {"access_token": "abc"}

    assert fetch_token(settings) == "abc"
    assert answers.received["client_secret"] == "a=b"


def test_refused_token_is_told(answers: Any, settings: Settings) -> None:
    answers.status, answers.body = 401, {"detail": "The secret is wrong."}

    with pytest.raises(CannotStart, match="The secret is wrong"):
        fetch_token(settings)


def test_token_without_a_stack_is_told(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="is the stack running"):
        fetch_token(make_settings(tmp_path, port=1))


def test_missing_admin_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="create-admin"):
        read_admin(tmp_path / "admin.env")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("galley.example", "http://galley.example:8000"),
    ],
)
def test_wildcards_are_reached_by_loopback(tmp_path: Path, host: str, url: str) -> None:
    assert base_url(make_settings(tmp_path, host=host)) == url
