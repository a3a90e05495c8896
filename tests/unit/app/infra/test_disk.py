"""New files are written whole, and a full disk has a word of its own."""

import errno
import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest

from app.errors import DiskFull
from app.infra import disk
from app.infra.disk import PIECE_BYTES, NewFile, check_room, disk_errors


def test_file_holds_what_was_written(tmp_path: Path) -> None:
    content = os.urandom(3 * PIECE_BYTES + 17)
    file = NewFile(tmp_path / "deep" / "down" / "file")
    for start in range(0, len(content), 60_000):
        file.write(content[start : start + 60_000])
    file.finish()

    assert file.path.read_bytes() == content
    assert file.size_bytes == len(content)


def test_file_knows_its_digest(tmp_path: Path) -> None:
    content = os.urandom(2 * PIECE_BYTES + 17)
    files = [NewFile(tmp_path / str(is_hashed), is_hashed=is_hashed) for is_hashed in (True, False)]
    for file in files:
        file.write(content)
        file.write(b"more")
        file.finish()

    assert [file.sha256 for file in files] == [hashlib.sha256(content + b"more").hexdigest(), ""]


def test_large_file_is_synced_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(disk, "SYNCED_BYTES", 2 * PIECE_BYTES)
    monkeypatch.setattr(disk.os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    file = NewFile(tmp_path / "file")
    for _ in range(5):
        file.write(bytes(PIECE_BYTES))
    file.finish()

    assert synced == [2 * PIECE_BYTES, 4 * PIECE_BYTES]


def test_file_of_any_size_leaves_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SYNCED_BYTES", 2 * PIECE_BYTES)
    file = NewFile(tmp_path / "file", reserve_bytes=2**62)
    file.write(bytes(PIECE_BYTES))

    with pytest.raises(DiskFull):
        file.write(bytes(PIECE_BYTES))
    file.close()


def test_bytes_are_on_disk_before_the_end(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "file")
    file.write(b"x" * (PIECE_BYTES - 1))
    before = file.path.stat().st_size
    file.write(b"xx")
    after = file.path.stat().st_size
    file.close()

    assert (before, after) == (0, PIECE_BYTES + 1)


def test_existing_file_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        NewFile(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_full_disk_is_told_from_the_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A device of Linux that is always full.
    monkeypatch.setattr("app.infra.disk.FileIO", lambda _path, _mode: FileIO("/dev/full", "wb"))
    file = NewFile(tmp_path / "file")

    with pytest.raises(DiskFull):
        file.write(b"x" * PIECE_BYTES)
    file.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_used_up_room_can_be_tried_again(number: int) -> None:
    with pytest.raises(DiskFull) as caught, disk_errors():
        raise OSError(number, "no room")

    assert caught.value.is_retryable


def test_other_failures_of_a_disk_go_on() -> None:
    with pytest.raises(PermissionError), disk_errors():
        raise PermissionError(errno.EACCES, "not yours")


def test_more_than_there_is_room_for_is_refused(tmp_path: Path) -> None:
    check_room(tmp_path, 1)

    with pytest.raises(DiskFull, match="bytes"):
        check_room(tmp_path, 2**60)
