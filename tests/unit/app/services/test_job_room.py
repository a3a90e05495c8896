"""Jobs leave their reserve free, and say so once."""

from pathlib import Path
from unittest import mock

import pytest

from app.errors import DiskFull, StoreUnreachable
from app.infra.disk import RETRY_AFTER_S
from app.infra.job_files import JobFiles, open_job_files
from app.services.job_room import JobRoom

RESERVE = 1000


@pytest.fixture
def files(tmp_path: Path) -> mock.NonCallableMagicMock:
    return mock.create_autospec(JobFiles, instance=True)


def room_with(files: mock.NonCallableMagicMock, free_bytes: int | None) -> JobRoom:
    files.free_bytes.return_value = free_bytes
    return JobRoom(files, reserve_bytes=RESERVE)


def test_input_is_refused_that_would_take_of_the_reserve(files: mock.NonCallableMagicMock) -> None:
    room = room_with(files, RESERVE + 10)
    room.check(10)

    with pytest.raises(DiskFull) as refusal:
        room.check(11)
    assert refusal.value.retry_after_s == RETRY_AFTER_S


def test_chunks_wait_while_less_than_the_reserve_is_free(files: mock.NonCallableMagicMock) -> None:
    assert not room_with(files, RESERVE).is_short()
    assert room_with(files, RESERVE - 1).is_short()


def test_change_is_told_once(files: mock.NonCallableMagicMock, caplog: pytest.LogCaptureFixture) -> None:
    room = room_with(files, RESERVE - 1)
    for free_bytes in (5, 5, RESERVE, RESERVE):
        files.free_bytes.return_value = free_bytes
        room.is_short()

    assert [record.getMessage() for record in caplog.records] == [
        "chunks wait: the disk of jobs is short of JOB_DISK_RESERVE (5 bytes are free)",
        "chunks need not wait for the disk",
    ]


def test_there_is_room_where_nobody_can_tell(files: mock.NonCallableMagicMock) -> None:
    room = room_with(files, None)
    room.check(2**60)

    assert not room.is_short()


def test_real_disk_says_what_is_left(tmp_path: Path) -> None:
    room = JobRoom(open_job_files(str(tmp_path / "jobs"), tmp_path / "spool"), reserve_bytes=2**62)

    assert (room.free_bytes() or 0) > 0
    assert room.is_short()


def emptied(folder: Path) -> JobFiles:
    """Return the files of a folder of which only the mount point is there."""
    folder.mkdir()
    return open_job_files(str(folder), folder)


def test_folder_that_is_used_for_the_first_time_is_marked(tmp_path: Path) -> None:
    files = emptied(tmp_path / "jobs")
    JobRoom(files, reserve_bytes=0).check()

    assert files.is_marked()
    assert files.job_ids() == []


def test_folder_with_files_of_jobs_is_marked_when_it_was_not(tmp_path: Path) -> None:
    files = emptied(tmp_path / "jobs")
    (tmp_path / "jobs" / "one").mkdir()
    JobRoom(files, reserve_bytes=0, has_files=lambda: True).check()

    assert files.is_marked()


def test_folder_that_another_takes_its_first_job_into_meanwhile_is_mounted(tmp_path: Path) -> None:
    files = emptied(tmp_path / "jobs")

    def has_files() -> bool:
        files.mark()
        (tmp_path / "jobs" / "one").mkdir()
        return True

    JobRoom(files, reserve_bytes=0, has_files=has_files).check()


def test_empty_folder_of_jobs_that_have_files_is_not_mounted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = emptied(tmp_path / "jobs")
    room = JobRoom(files, reserve_bytes=0, has_files=lambda: True)
    for look in (room.check, room.free_bytes, room.check_mounted):
        with pytest.raises(StoreUnreachable, match="mounted"):
            look()

    # Chunks wait, and their jobs lose nothing.
    assert room.is_short()
    assert "chunks wait: The folder of jobs is empty" in caplog.text
    assert not files.is_marked()
