"""Notes of runners on disk."""

from pathlib import Path
from typing import Any

import pytest

from app.run_dir import LONGEST_RUN_DIR
from workers.controller.runner_files import RunnerFiles, RunnerNote

SOCKET_PATH_LIMIT = 107


@pytest.fixture
def files(tmp_path: Path) -> RunnerFiles:
    return RunnerFiles(tmp_path / "runners")


def make_note(files: RunnerFiles, **changes: int) -> RunnerNote:
    fields: dict[str, Any] = {"name": "digits", "digest": "0" * 64, "address": files.new_address(), "started_at": 1.5}
    return RunnerNote(**{**fields, "version": 3, **changes})


def socket_of(note: RunnerNote) -> Path:
    return Path(note.address.removeprefix("ipc://"))


def test_note_is_read_back(files: RunnerFiles) -> None:
    note = make_note(files, pid=7, started_ticks=8)

    files.write(note)

    assert files.read() == [note]


def test_note_is_replaced_when_the_pid_is_known(files: RunnerFiles) -> None:
    note = make_note(files)
    files.write(note)
    known = RunnerNote(**{**{name: getattr(note, name) for name in note.__struct_fields__}, "pid": 7})

    files.write(known)

    assert files.read() == [known]


def test_addresses_differ_and_fit_a_socket_path(files: RunnerFiles) -> None:
    addresses = {RunnerFiles.new_address(files) for _ in range(100)}
    longest = max(len(Path(address).name) for address in addresses)

    assert len(addresses) == 100
    assert LONGEST_RUN_DIR + len("/runners/") + longest <= SOCKET_PATH_LIMIT


def test_unreadable_note_is_passed_over(files: RunnerFiles, tmp_path: Path) -> None:
    note = make_note(files)
    files.write(note)
    (tmp_path / "runners" / "0.json").write_bytes(b"half a no")

    assert files.read() == [note]


def test_removed_runner_leaves_no_file(files: RunnerFiles, tmp_path: Path) -> None:
    note = make_note(files)
    files.write(note)
    socket_of(note).touch()

    files.remove(note.address)

    assert list((tmp_path / "runners").iterdir()) == []


def test_sweep_spares_the_living(files: RunnerFiles, tmp_path: Path) -> None:
    living, dead = make_note(files), make_note(files)
    for note in (living, dead):
        files.write(note)
        socket_of(note).touch()

    files.sweep({living.address})

    assert files.read() == [living]
    assert sorted(path.stem for path in (tmp_path / "runners").iterdir()) == [socket_of(living).stem] * 2
