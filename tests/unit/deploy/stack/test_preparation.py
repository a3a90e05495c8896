"""The launcher names everything that is wrong, and prepares a folder once."""

import os
import socket
from pathlib import Path

import pytest

from app.db.migrate import current_revision, newest_revision
from app.db.session import Database
from app.settings import read_settings
from deploy.stack.errors import CannotStart
from deploy.stack.preparation import prepare_services, prepared_folder


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.delenv("JWT_SECRET", raising=False)
    return monkeypatch


def test_key_is_made_once(environment: pytest.MonkeyPatch) -> None:
    with prepared_folder() as first:
        pass
    with prepared_folder() as second:
        assert second.settings.jwt_secret == first.settings.jwt_secret
        assert (second.settings.metrics_dir / "web").is_dir()


def test_given_key_is_used(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JWT_SECRET", "k" * 40)

    with prepared_folder() as prepared:
        assert prepared.settings.jwt_secret == "k" * 40
        assert not (prepared.settings.secrets_dir / "jwt_secret").exists()


def test_production_makes_no_key_up(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")

    with pytest.raises(CannotStart, match="JWT_SECRET"), prepared_folder():
        pass


def test_all_wrong_settings_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "many")
    environment.setenv("LOG_LEVEL", "loud")

    with pytest.raises(CannotStart, match=r"(?s)LOG_LEVEL.*PORT"), prepared_folder():
        pass


def test_taken_port_is_named(environment: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment.setenv("PORT", str(taken.getsockname()[1]))

        with pytest.raises(CannotStart, match="Address already in use"), prepared_folder():
            pass


def test_folder_that_is_a_file_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")

    with pytest.raises(CannotStart, match="Cannot write to"), prepared_folder():
        pass


@pytest.mark.parametrize("name", ["log", "redis", "secrets"])
def test_what_is_in_the_way_is_named(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / name).write_text("")

    with pytest.raises(CannotStart, match=f"var/{name}"), prepared_folder():
        pass


def test_services_find_folders_schema_and_a_client(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("JWT_SECRET", "k" * 40)
    prepare_services()
    counted = read_settings().metrics_dir / "celery" / "counter_1.db"
    counted.write_bytes(b"")
    earlier = counted.with_name("counter_2.db")
    earlier.write_bytes(b"")
    os.utime(earlier, (1.0, 1.0))
    prepare_services()

    assert counted.exists()
    # Whoever wrote it ended with the machine.
    assert not earlier.exists()
    assert "client_id" in (tmp_path / "var" / "admin.env").read_text().lower()
    assert current_revision(Database(read_settings().database_url)) == newest_revision()


def test_for_services_no_key_is_made_up(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotStart, match="JWT_SECRET"):
        prepare_services()
