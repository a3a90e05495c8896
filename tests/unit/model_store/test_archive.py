"""An archive is opened with distrust: of its names, its sizes and its form."""

import zipfile
from pathlib import Path

import pytest

from app.errors import LimitExceeded, UnloadableArtifact
from model_store import archive as archive_module
from model_store.archive import Archive
from tests.factories.archives import Identity, saved, write_archive


def test_records_are_read_by_their_names_under_the_root(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.pt", {"data.pkl": b"one", "code/x.py": b"two"})

    with Archive(path) as archive:
        assert archive.names() == ["data.pkl", "code/x.py"]
        assert archive.read("code/x.py") == b"two"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b.py", "./a", "a//b", "a\\b", "a\nb", "", "é\u2028"])
def test_path_tricks_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnloadableArtifact, match="a record is named"):
        Archive(write_archive(tmp_path / "a.pt", {name: b""}))


def test_a_record_outside_the_root_is_refused(tmp_path: Path) -> None:
    for name in ("/etc/passwd", "lonely", "other/data.pkl"):
        path = write_archive(tmp_path / "a.pt", {"data.pkl": b""})
        with zipfile.ZipFile(path, "a") as opened:
            opened.writestr(name, b"")
        with pytest.raises(UnloadableArtifact):
            Archive(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    """Readers differ in which of the two they take."""
    for second in ("code/x.py", "code/X.PY"):
        path = write_archive(tmp_path / "a.pt", {"code/x.py": b"good"})
        with zipfile.ZipFile(path, "a") as opened:
            opened.writestr(f"archive/{second}", b"bad")
        with pytest.raises(UnloadableArtifact, match="two records are named"):
            Archive(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = {"code/x.py": b" " * (archive_module.MOST_TEXT_BYTES + 1)}
    path = write_archive(tmp_path / "a.pt", bomb, compression=zipfile.ZIP_DEFLATED)

    with Archive(path) as archive, pytest.raises(LimitExceeded, match="over 32 MiB"):
        archive.read("code/x.py")


def test_what_torch_leaves_uncompressed_may_not_be_compressed(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.pt", {"data/0": b" " * 1000}, compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(UnloadableArtifact, match="data/0 is compressed"):
        Archive(path)


def test_records_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MOST_RECORDS", 3)
    path = write_archive(tmp_path / "a.pt", {f"data/{number}": b"" for number in range(4)})

    with pytest.raises(LimitExceeded, match="4 records; 3 is the limit"):
        Archive(path)


def test_a_directory_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = write_archive(tmp_path / "a.pt", {f"data/{number}": b"" for number in range(40)})
    by_torch = tmp_path / "torch.pt"
    by_torch.write_bytes(saved(Identity()))
    for path in (by_hand, by_torch):
        Archive(path)

    monkeypatch.setattr(archive_module, "MOST_DIRECTORY_BYTES", 100)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    for path in (by_hand, by_torch):
        with pytest.raises(LimitExceeded, match="list of records"):
            Archive(path)


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.pt", {"code/x.py": b"something to damage"})
    path.write_bytes(path.read_bytes().replace(b"something", b"anything!"))

    with Archive(path) as archive, pytest.raises(UnloadableArtifact, match=r"code/x\.py cannot be read"):
        archive.read("code/x.py")


def test_a_record_that_says_another_name_than_the_directory_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.pt", {"code/x.py": b"good"})
    for other in (b"archive/code/y.py", b"archive/code/\xff.py"):
        data = path.read_bytes()
        path.write_bytes(data.replace(b"archive/code/x.py", other, 1))
        with Archive(path) as archive, pytest.raises(UnloadableArtifact, match=r"code/x\.py cannot be read"):
            archive.read("code/x.py")
        path.write_bytes(data)


@pytest.mark.parametrize("data", [b"", b"PK", b"import os"])
def test_what_is_no_zip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(data)

    with pytest.raises(UnloadableArtifact, match="not a whole TorchScript archive"):
        Archive(tmp_path / "a.pt")
