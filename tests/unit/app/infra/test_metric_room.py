"""Room: it is taken before it is needed, and a full disk costs counts, not the process."""

import errno
import os
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from app.infra.metric_room import RoomyDict, take_room

KEYS = [f'["family", "sample{number}", {{}}, "help"]' for number in range(3000)]
FULL_DISK = mock.patch.object(os, "posix_fallocate", side_effect=OSError(errno.ENOSPC, "full"))


def holes(path: Path) -> int:
    """Return how many bytes of a file have no room yet."""
    status = path.stat()
    return max(0, status.st_size - status.st_blocks * 512)


def test_no_file_has_holes_however_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    with closing(RoomyDict(str(path))) as file:
        assert holes(path) == 0
        for key in KEYS:
            file.write_value(key, 2.0, 0.0)  # type: ignore[no-untyped-call]
        assert [value for _, value, _ in file.read_all_values()] == [2.0] * len(KEYS)  # type: ignore[no-untyped-call]

    assert path.stat().st_size > 2**17
    assert holes(path) == 0


def test_a_process_that_starts_on_a_full_disk_counts_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    with FULL_DISK, closing(RoomyDict(str(path))) as file:
        file.write_value(KEYS[0], 2.0, 0.0)  # type: ignore[no-untyped-call]
        assert file.read_value(KEYS[0]) == (2.0, 0.0)  # type: ignore[no-untyped-call]

    assert not path.exists()


def test_a_file_that_cannot_grow_goes_on_in_memory_with_what_it_has(tmp_path: Path) -> None:
    with closing(RoomyDict(str(tmp_path / "counter_1.db"))) as file:
        file.write_value(KEYS[0], 1.0, 0.0)  # type: ignore[no-untyped-call]
        with FULL_DISK:
            for key in KEYS[1:]:
                file.write_value(key, 2.0, 0.0)  # type: ignore[no-untyped-call]
        values = [value for _, value, _ in file.read_all_values()]  # type: ignore[no-untyped-call]

    assert values == [1.0, *[2.0] * (len(KEYS) - 1)]


def test_other_failures_of_the_disk_are_told(tmp_path: Path) -> None:
    broken = mock.patch.object(os, "posix_fallocate", side_effect=OSError(errno.EIO, "broken"))
    with broken, pytest.raises(OSError, match="broken"):
        RoomyDict(str(tmp_path / "counter_1.db"))


def test_room_for_entries_is_enough_for_them(tmp_path: Path) -> None:
    path = tmp_path / "counter_folded.new"
    take_room(path, KEYS)
    size_bytes = path.stat().st_size
    with closing(RoomyDict(str(path))) as file:
        for key in KEYS:
            file.write_value(key, 1.0, 0.0)  # type: ignore[no-untyped-call]

    assert path.stat().st_size == size_bytes
