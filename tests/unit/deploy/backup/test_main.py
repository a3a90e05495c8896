"""The command line: what it says, and its exit status."""

import sys
from pathlib import Path

import pytest

from deploy.backup.__main__ import main
from deploy.backup.making import make_backup
from tests.factories.saved_sites import NOW, Site


class Shell:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, var_dir: Path) -> None:
        self._monkeypatch = monkeypatch
        for name in ("JWT_SECRET", "JWT_SECRET_FILE", "DATABASE_URL", "STORE_URL", "JOBS_URL", "ENVIRONMENT"):
            monkeypatch.delenv(name, raising=False)
        self.move(var_dir)

    def move(self, var_dir: Path) -> None:
        """Let VAR_DIR be another folder."""
        self._monkeypatch.setenv("VAR_DIR", str(var_dir))

    def __call__(self, *words: object) -> int:
        self._monkeypatch.setattr(sys, "argv", ["backup", *map(str, words)])
        return main()


@pytest.fixture
def shell(site: Site, monkeypatch: pytest.MonkeyPatch) -> Shell:
    (site.settings.secrets_dir).mkdir()
    (site.settings.secrets_dir / "jwt_secret").write_text("0123456789abcdef" * 2)
    return Shell(monkeypatch, site.settings.var_dir)


def only(folder: Path) -> Path:
    [backup] = folder.glob("galley-*")
    return backup


def test_saved_checked_and_restored(
    site: Site, shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.publish()

    assert shell("make") == 0
    backup = only(site.settings.var_dir / "backups")
    assert shell("verify", backup) == 0
    shell.move(tmp_path / "new")
    assert shell("restore", backup) == 0

    said = capsys.readouterr().out
    assert "Saved sqlite at revision" in said
    assert "is whole" in said
    assert "inputs and results of the jobs that it names are gone" in said
    assert (tmp_path / "new" / "secrets" / "jwt_secret").stat().st_mode & 0o777 == 0o600


def test_a_second_restore_is_refused_in_one_line(
    site: Site, shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.publish()
    shell("make", "--to", tmp_path / "backups", "--jobs")

    assert shell("restore", only(tmp_path / "backups")) == 2
    assert "--force" in capsys.readouterr().err


def test_damage_in_the_store_is_told_by_the_exit_status(
    site: Site, shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ref = site.publish()
    artifact = Path(site.store.path(f"{ref.name}/{ref.version}/model.pt"))
    artifact.chmod(0o600)
    artifact.write_bytes(b"rot")

    assert shell("make", "--to", tmp_path / "backups") == 1
    assert "tiny/1 was damaged" in capsys.readouterr().err


def test_what_is_missing_is_told_in_one_line(shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell.move(tmp_path / "nothing")

    assert shell("verify", tmp_path / "nowhere") == 2
    assert shell("make", "--to", tmp_path) == 2
    assert len(capsys.readouterr().err.splitlines()) >= 2


def test_a_damaged_backup_makes_none_go(site: Site, shell: Shell, tmp_path: Path) -> None:
    whole = make_backup(site.settings, tmp_path / "backups", now=NOW).folder
    ref = site.publish()
    artifact = Path(site.store.path(f"{ref.name}/{ref.version}/model.pt"))
    artifact.chmod(0o600)
    artifact.write_bytes(b"rot")

    assert shell("make", "--to", tmp_path / "backups", "--keep", 1) == 1
    assert whole.is_dir()


def test_fewer_than_none_cannot_be_kept(site: Site, shell: Shell, tmp_path: Path) -> None:
    whole = make_backup(site.settings, tmp_path / "backups", now=NOW).folder

    with pytest.raises(SystemExit):
        shell("make", "--to", tmp_path / "backups", "--keep", -1)
    assert list((tmp_path / "backups").glob("galley-*")) == [whole]
