"""The port is free, or Galley's own."""

import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor.checks import web
from deploy.doctor.finding import Finding
from tests.factories.doctor import make_case, the_one
from tests.factories.stack import free_port

Told = tuple[int, dict[str, Any]]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def look(folder: Path, port: int, *, is_running: bool = False) -> Finding:
    return the_one(web.port(make_case(folder, port=port, is_running=is_running)))


@pytest.mark.parametrize(("is_running", "verdict"), [(False, "ok"), (True, "error")])
def test_nobody_listens(tmp_path: Path, is_running: bool, verdict: str) -> None:
    assert look(tmp_path, free_port(), is_running=is_running).verdict == verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ((HTTPStatus.OK, {"ready": True}), "ok"),
        ((HTTPStatus.SERVICE_UNAVAILABLE, {"ready": False}), "warning"),
        ((HTTPStatus.NOT_FOUND, {"detail": "no such page"}), "error"),
    ],
)
def test_who_listens_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: socket.socket, told: Told, verdict: str
) -> None:
    monkeypatch.setattr(web, "call", lambda *_: told)
    port = listener.getsockname()[1]

    assert [look(tmp_path, port, is_running=is_running).verdict for is_running in (True, False)] == [verdict] * 2


def test_who_does_not_answer_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(web, "call", fail)

    finding = look(tmp_path, listener.getsockname()[1])
    assert finding.verdict == "error"
    assert "Cannot listen" in finding.says
