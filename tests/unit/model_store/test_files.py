"""Copies are hashed, whole and read-only; folders move once."""

import hashlib
import io
from pathlib import Path

import pytest

from model_store.files import CHUNK_BYTES, copy_hashed, move_folder, replace_bytes, staging_folder


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_copy_has_the_hash_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    entry = copy_hashed(io.BytesIO(data[:size]), tmp_path / "a" / "copy")

    assert (tmp_path / "a" / "copy").read_bytes() == data[:size]
    assert (entry.sha256, entry.size_bytes) == (hashlib.sha256(data[:size]).hexdigest(), size)
    assert (tmp_path / "a" / "copy").stat().st_mode & 0o222 == 0


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        copy_hashed(io.BytesIO(b"new"), tmp_path / "old")


def test_replacing_leaves_one_file(tmp_path: Path) -> None:
    replace_bytes(tmp_path / "manifest.json", b"one")
    replace_bytes(tmp_path / "manifest.json", b"two")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("manifest.json", b"two")]


def test_only_the_first_move_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    assert move_folder(tmp_path / "first", tmp_path / "to" / "1")
    assert not move_folder(tmp_path / "second", tmp_path / "to" / "1")
    assert (tmp_path / "to" / "1" / "file").read_text() == "first"


def test_a_file_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "1").write_text("a file")

    assert not move_folder(tmp_path / "folder", tmp_path / "1")


def test_a_staging_folder_goes_when_its_block_fails(tmp_path: Path) -> None:
    def fail_inside() -> None:
        with staging_folder(tmp_path) as folder:
            (folder / "file").write_text("half")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail_inside()

    assert list(tmp_path.iterdir()) == []
