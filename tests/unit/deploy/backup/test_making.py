"""A backup names nothing that is not in it, whatever is published and deleted meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import Settings
from deploy.backup.archive import open_backup, paths_in, unfinished
from deploy.backup.database_dump import SqliteDump
from deploy.backup.errors import BackupError
from deploy.backup.making import make_backup, only_backup
from deploy.backup.store_files import SavedVersions
from tests.factories.saved_sites import NAME, NOW, Site

Step = Callable[[], object]


def after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, *, do: Step) -> None:
    """Let a step happen right after the first call of a method."""
    method, left = getattr(owner, name), [do]

    def call(*arguments: object) -> object:
        result = method(*arguments)
        if left:
            left.pop()()
        return result

    monkeypatch.setattr(owner, name, call)


def test_a_backup_says_what_it_is(site: Site, tmp_path: Path) -> None:
    site.publish()
    site.add_job_files()

    backup = make_backup(site.settings, tmp_path / "backups", now=NOW, with_jobs=True)

    assert backup.folder == tmp_path / "backups" / NAME
    assert backup.facts == open_backup(backup.folder)
    assert (backup.facts.database, backup.facts.versions, backup.facts.jobs) == ("sqlite", ["tiny/1"], 1)
    assert backup.facts.created_at == "2026-05-04T03:02:01+00:00"


def test_jobs_are_left_out_unless_asked_for(site: Site, tmp_path: Path) -> None:
    site.add_job_files()

    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)

    assert backup.facts.jobs is None
    assert list(paths_in(backup.folder, "jobs")) == []


def test_a_version_deleted_meanwhile_is_in_neither(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish()
    gone = site.publish()
    after(monkeypatch, SqliteDump, "take", do=lambda: site.delete(gone))

    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)

    assert backup.facts.versions == ["tiny/1"]
    facts = SqliteDump(f"sqlite:///{backup.folder}/database.dump").take(tmp_path / "copy")
    assert (len(facts.versions), facts.deleted) == (1, {gone})


@pytest.mark.long
def test_a_version_copied_and_then_deleted_is_taken_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish()
    first, second = site.publish(), site.publish()
    after(monkeypatch, SqliteDump, "take", do=lambda: site.delete(first))
    after(monkeypatch, SavedVersions, "copy_new", do=lambda: site.delete(second))

    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)

    assert backup.facts.versions == ["tiny/1"]
    open_backup(backup.folder)


@pytest.mark.long
def test_a_version_published_meanwhile_does_no_harm(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish()
    after(monkeypatch, SqliteDump, "take", do=site.publish)

    assert make_backup(site.settings, tmp_path / "backups", now=NOW).facts.versions == ["tiny/1", "tiny/2"]


@pytest.mark.long
def test_a_store_that_lacks_what_sql_names_is_told(site: Site, tmp_path: Path) -> None:
    ref = site.publish()
    site.store.file_system.rm(site.store.path(ref.name), recursive=True)

    with pytest.raises(BackupError, match=r"does not have: tiny/1\."):
        make_backup(site.settings, tmp_path / "backups", now=NOW)


@pytest.mark.long
def test_what_a_backup_left_that_died_goes_with_the_next(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    (target / ".galley-20200101T000000Z" / "store").mkdir(parents=True)

    make_backup(site.settings, target, now=NOW)

    assert unfinished(target) == []


def test_two_are_never_made_at_once(site: Site, tmp_path: Path) -> None:
    with only_backup(tmp_path), pytest.raises(BackupError, match="Another backup"):
        make_backup(site.settings, tmp_path, now=NOW)


def test_secrets_are_no_part_of_it(site: Site, tmp_path: Path) -> None:
    issued = site.add_client()
    settings: Settings = site.settings

    backup = make_backup(settings, tmp_path / "backups", now=NOW)

    saved = b"".join(path.read_bytes() for path in backup.folder.rglob("*") if path.is_file())
    assert issued.client.client_id.encode() in saved
    assert issued.secret.encode() not in saved
    assert settings.jwt_secret.encode() not in saved
