"""What was saved comes back, to an empty place only unless it is forced, and by what was checked only."""

import socket
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.services.clients import ClientService
from app.services.releases import ReleaseService
from app.services.tokens import TokenService
from app.web.token_codec import JwtCodec
from deploy.backup import restoring
from deploy.backup.archive import open_backup
from deploy.backup.errors import BackupError
from deploy.backup.making import make_backup
from deploy.backup.restoring import restore_backup
from deploy.stack.errors import CannotStart
from deploy.stack.folders import only_stack
from model_store.model_ref import ModelRef
from tests.factories.saved_sites import JOB, NOW, Site, make_site, open_site
from tests.factories.settings import make_settings


@pytest.fixture
def backup(site: Site, tmp_path: Path) -> Path:
    """A site with a second version in production, a deleted third one, and a job, saved."""
    second = [site.publish(), site.publish(b"better")][1]
    site.move("production", second)
    site.delete(site.publish(b"worse"))
    site.add_job_files()
    return make_backup(site.settings, tmp_path / "backups", now=NOW, with_jobs=True).folder


def test_everything_comes_back_to_an_empty_place(site: Site, backup: Path, tmp_path: Path) -> None:
    issued = site.add_client()
    later = make_backup(site.settings, tmp_path / "later", now=NOW, with_jobs=True).folder
    settings = make_settings(tmp_path / "new")

    restore_backup(later, settings)

    new = open_site(settings)
    aliases = {
        name: ReleaseService(new.database, new.store).find("tiny", name).ref.version
        for name in ("default", "production")
    }
    assert aliases == {"default": 1, "production": 2}
    assert new.store.refs() == [ModelRef("tiny", 1), ModelRef("tiny", 2)]
    assert new.jobs.job_ids() == [JOB]
    tokens = TokenService(settings, new.database, JwtCodec(settings))
    assert tokens.authenticate(issued.client.client_id, issued.secret) == issued.client
    new.close()


@pytest.mark.long
def test_deleted_numbers_stay_taken(backup: Path, tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "new")
    restore_backup(backup, settings)

    new = open_site(settings)
    assert new.publish() == ModelRef("tiny", 4)
    new.close()


def test_a_place_that_is_not_empty_is_left_alone(site: Site, backup: Path) -> None:
    added = site.publish(b"since then")

    with pytest.raises(BackupError, match=r"\(the database, the store, jobs\); --force"):
        restore_backup(backup, site.settings)
    assert added in site.store.refs()
    assert ClientService(site.settings, site.database).count() == 0


@pytest.mark.long
def test_force_lets_go_of_sql_and_keeps_later_versions(site: Site, backup: Path) -> None:
    client = site.add_client().client.client_id
    added = site.publish(b"since then")
    site.close()

    restore_backup(backup, site.settings, is_forced=True)

    again = open_site(site.settings)
    assert client not in {facts.client_id for facts in ClientService(again.settings, again.database).page()}
    assert ReleaseService(again.database, again.store).find("tiny", str(added.version)).ref == added
    again.close()


def test_a_damaged_backup_changes_nothing(backup: Path, tmp_path: Path) -> None:
    artifact = backup / "store/tiny/1/model.pt"
    artifact.chmod(0o600)
    artifact.write_bytes(b"wormed")

    with pytest.raises(BackupError, match=r"store/tiny/1/model\.pt was changed"):
        restore_backup(backup, make_settings(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("database", "postgresql", "is of postgresql"), ("revision", "9999", "9999 is unknown")],
)
def test_a_backup_that_does_not_fit_changes_nothing(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str, reason: str
) -> None:
    facts = open_backup(backup)
    changed = type(facts)(**{name: getattr(facts, name) for name in facts.__struct_fields__} | {field: value})
    monkeypatch.setattr(restoring, "open_backup", lambda _folder: changed)

    with pytest.raises(BackupError, match=reason):
        restore_backup(backup, make_settings(tmp_path / "new"))
    assert not (tmp_path / "new" / "store").exists()


@pytest.mark.long
def test_nothing_is_restored_below_a_running_stack(backup: Path, tmp_path: Path) -> None:
    new = make_site(tmp_path / "new")
    new.close()

    with only_stack(tmp_path / "new"), pytest.raises(CannotStart, match="runs"):
        restore_backup(backup, replace(new.settings), is_forced=True)


@pytest.mark.parametrize("with_log", [True, False])
def test_nothing_is_touched_while_others_have_sqlite_open(site: Site, backup: Path, with_log: bool) -> None:
    before = site.store.refs()
    added = site.publish(b"since then")
    site.close()
    path = site.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={'WAL' if with_log else 'DELETE'}")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM clients").fetchone()
        for ref in before:
            site.store.file_system.rm(site.store.path(f"{ref.name}/{ref.version}"), recursive=True)
        with pytest.raises(BackupError, match="Others use the database"):
            restore_backup(backup, site.settings, is_forced=True)

    assert site.store.refs() == [added]


def test_nothing_is_touched_while_somebody_has_the_port(backup: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = make_settings(tmp_path / "new", host="127.0.0.1", port=server.getsockname()[1])
        with pytest.raises(BackupError, match="end it first"):
            restore_backup(backup, settings)

    assert not open_site(settings).store.refs()
