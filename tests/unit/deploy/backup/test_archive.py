"""A backup is whole under its name or not there, and every change to it is found out."""

import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.backup.archive import Archive, BackupFacts, finished, open_backup, paths_in, unfinished
from deploy.backup.errors import BackupError
from tests.factories.saved_sites import NAME, NOW

FACTS = BackupFacts(
    created_at="2026-05-04T03:02:01Z",
    galley="1",
    database="sqlite",
    revision="0001",
    versions=["tiny/1"],
    damaged=[],
    jobs=None,
)


@dataclass(frozen=True)
class Damage:
    """What somebody does to a backup, and the word for it."""

    do: Callable[[Path], object]
    word: str


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    archive = Archive(tmp_path, NOW)
    archive.add("store/tiny/1/model.pt", io.BytesIO(b"weights"))
    (archive.folder / "database.dump").write_bytes(b"rows")
    archive.note("database.dump")
    return archive.seal(FACTS)


def test_a_sealed_backup_is_read_again(backup: Path) -> None:
    assert open_backup(backup) == FACTS
    assert backup.name == NAME
    assert list(paths_in(backup, "store")) == ["tiny/1/model.pt"]


def test_its_checksums_are_those_of_sha256sum(backup: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=backup, check=True)


def test_nobody_else_may_look_into_it(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        Damage(lambda folder: (folder / "store/tiny/1/model.pt").unlink(), "store/tiny/1/model.pt is missing"),
        Damage(lambda folder: (folder / "database.dump").write_bytes(b"rowz"), "database.dump was changed"),
        Damage(lambda folder: (folder / "more").write_bytes(b""), "more is not part of it"),
        Damage(lambda folder: (folder / "SHA256SUMS").unlink(), "no whole backup"),
    ],
    ids=["missing", "changed", "strange", "unsealed"],
)
def test_damage_is_named(backup: Path, damage: Damage) -> None:
    damage.do(backup)

    with pytest.raises(BackupError, match=damage.word):
        open_backup(backup)


def test_a_link_in_place_of_a_file_is_damage(backup: Path, tmp_path: Path) -> None:
    dump = backup / "database.dump"
    dump.rename(tmp_path / "elsewhere")
    dump.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BackupError, match=r"database\.dump was changed"):
        open_backup(backup)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "store/../../outside"])
def test_a_list_that_leads_elsewhere_is_none(backup: Path, path: str) -> None:
    sums = backup / "SHA256SUMS"
    sums.chmod(0o600)
    sums.write_text(sums.read_text() + f"{'0' * 64}  {path}\n")

    with pytest.raises(BackupError, match="no whole backup"):
        open_backup(backup)


def test_what_is_not_sealed_is_not_finished(tmp_path: Path) -> None:
    archive = Archive(tmp_path, NOW)

    assert (finished(tmp_path), unfinished(tmp_path)) == ([], [archive.folder])
    archive.seal(FACTS)
    assert (finished(tmp_path), unfinished(tmp_path)) == ([tmp_path / NAME], [])


def test_a_name_is_given_once(tmp_path: Path, backup: Path) -> None:
    with pytest.raises(BackupError, match="already"):
        Archive(tmp_path, NOW)
    assert Archive(tmp_path, NOW + timedelta(seconds=1)).name > backup.name


def test_what_is_dropped_leaves_no_trace(tmp_path: Path) -> None:
    archive = Archive(tmp_path, NOW)
    archive.add("store/tiny/1/model.pt", io.BytesIO(b"weights"))
    archive.add("store/other/1/model.pt", io.BytesIO(b"weights"))

    archive.drop("store/tiny/1/model.pt")

    backup = archive.seal(FACTS)
    assert [path.name for path in (backup / "store").iterdir()] == ["other"]
    open_backup(backup)


def test_what_cannot_be_read_to_its_end_leaves_no_trace(tmp_path: Path) -> None:
    class Ending(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            raise FileNotFoundError("gone")

        read = readinto  # type: ignore[assignment]

    archive = Archive(tmp_path, NOW)
    with pytest.raises(FileNotFoundError, match="gone"):
        archive.add("jobs/one/input", Ending(b"half"))

    open_backup(archive.seal(FACTS))


def test_a_later_format_is_not_guessed_at(tmp_path: Path) -> None:
    facts = BackupFacts(**{name: getattr(FACTS, name) for name in FACTS.__struct_fields__} | {"format": 2})

    with pytest.raises(BackupError, match="has format 2"):
        open_backup(Archive(tmp_path, NOW).seal(facts))
