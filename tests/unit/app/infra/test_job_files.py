"""Files of jobs appear whole or not at all, on any file system."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from app.errors import DiskFull, StoreUnreachable
from app.infra.job_files import MARK, RESULTS, STAGING, JobFiles, open_job_files, sweep_at_start


@pytest.fixture(params=["local", "remote"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> JobFiles:
    url = str(tmp_path / "jobs") if request.param == "local" else f"memory://{tmp_path.name}"
    files = open_job_files(url, tmp_path / "spool")
    files.mark()
    return files


def read(files: JobFiles, job_id: str, name: str, offset: int = 0) -> bytes:
    with files.reader(job_id, name, offset=offset) as file:
        return file.read()


def test_written_file_is_read_from_any_place(files: JobFiles) -> None:
    with files.writer("one", "results/000001.1.ndjson") as file:
        file.write(b"0123456789")
        assert files.names("one", RESULTS) == []

    assert read(files, "one", "results/000001.1.ndjson") == b"0123456789"
    assert read(files, "one", "results/000001.1.ndjson", offset=7) == b"789"
    assert files.size("one", "results/000001.1.ndjson") == 10
    assert files.names("one", RESULTS) == ["results/000001.1.ndjson"]


def test_block_that_raises_leaves_nothing(files: JobFiles, tmp_path: Path) -> None:
    def write_half() -> None:
        with files.writer("one", "results/a") as file:
            file.write(b"half")
            raise KeyError("in the midst")

    with pytest.raises(KeyError, match="midst"):
        write_half()
    assert files.size("one", "results/a") is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != MARK]


def test_input_arrives_in_a_folder_that_goes(files: JobFiles) -> None:
    with files.receiving("one") as folder:
        (folder / "part").write_bytes(b"rows")
        (folder / "other").write_bytes(b"")
        assert files.job_ids() == []
        files.take_in("one", "input.csv", folder / "part")

    assert not folder.exists()
    assert read(files, "one", "input.csv") == b"rows"
    assert files.job_ids() == ["one"]


def test_deleted_job_has_no_files(files: JobFiles) -> None:
    for name in ("input.csv", "results/a"):
        with files.writer("one", name) as file:
            file.write(b"x")
    files.delete("one", RESULTS)
    assert files.names("one", RESULTS) == []
    assert files.size("one", "input.csv") == 1

    files.delete("one")
    files.delete("one")
    assert files.job_ids() == []


def test_missing_file_is_missing(files: JobFiles) -> None:
    assert files.size("one", "input.csv") is None
    assert files.names("one", RESULTS) == []
    with pytest.raises(FileNotFoundError):
        read(files, "one", "input.csv")


def test_newest_file_tells_when_a_job_was_changed(files: JobFiles) -> None:
    before = datetime.now(UTC)
    for name in ("input.csv", "results/a"):
        with files.writer("one", name) as file:
            file.write(b"x")

    changed_at = files.changed_at("one")
    assert changed_at is not None
    assert abs(changed_at - before) < timedelta(minutes=1)
    assert files.changed_at("two") is None


def test_empty_folder_has_its_own_time(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    os.utime(tmp_path / "one", (1000.0, 1000.0))

    assert open_job_files(str(tmp_path), tmp_path).changed_at("one") == datetime.fromtimestamp(1000.0, UTC)


def test_only_what_was_left_long_ago_is_swept(files: JobFiles) -> None:
    assert files.sweep_staging(0.0) == 0
    with files.receiving("one") as folder:
        left = folder.parent / "half-written"
        left.write_bytes(b"half")
        os.utime(left, (1000.0, 1000.0))

        assert files.sweep_staging(3600.0) == 1
        assert (left.exists(), folder.exists()) == (False, True)


def test_disk_that_cannot_be_asked_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnreachable):
        open_job_files(str(tmp_path / "file" / "jobs"), tmp_path).free_bytes()


def test_spool_that_cannot_be_swept_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "as a disk does")

    files = open_job_files(str(tmp_path), tmp_path)
    (tmp_path / STAGING / "half").mkdir(parents=True)
    monkeypatch.setattr(Path, "iterdir", fail)

    with pytest.raises(StoreUnreachable):
        files.sweep_staging(0.0)


def test_start_sweeps_what_was_left(files: JobFiles) -> None:
    with files.receiving("one") as folder:
        left = folder.parent / "half"
        left.mkdir()
        os.utime(left, (1000.0, 1000.0))

        sweep_at_start(files)
        assert (left.exists(), folder.exists()) == (False, True)


def test_start_goes_on_where_the_disk_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / STAGING).mkdir()
    with mock.patch.object(Path, "iterdir", side_effect=OSError(errno.EIO, "as a disk does")):
        sweep_at_start(open_job_files(str(tmp_path), tmp_path))

    assert "stay: The files of jobs cannot be reached" in caplog.text


def test_room_is_told_of_local_disks_only(tmp_path: Path) -> None:
    assert (open_job_files(str(tmp_path), tmp_path).free_bytes() or 0) > 0
    with pytest.raises(StoreUnreachable, match="mounted"):
        open_job_files(str(tmp_path / "nowhere"), tmp_path).free_bytes()
    assert open_job_files("memory://x", tmp_path).free_bytes() is None


@pytest.mark.parametrize(("number", "expected"), [(errno.ENOSPC, DiskFull), (errno.EIO, StoreUnreachable)])
def test_failing_disk_has_a_name(tmp_path: Path, number: int, expected: type[Exception]) -> None:
    def write() -> None:
        with open_job_files(str(tmp_path), tmp_path).writer("one", "a"):
            raise OSError(number, "as a disk does")

    with pytest.raises(expected):
        write()
    assert list((tmp_path / STAGING).iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "as a share does"), TimeoutError()])
@pytest.mark.parametrize("failing", ["seek", "read"])
def test_file_that_cannot_be_read_any_more_has_a_name(files: JobFiles, error: OSError, failing: str) -> None:
    with files.writer("one", "input") as file:
        file.write(b"rows")
    broken = mock.MagicMock(**{f"{failing}.side_effect": error})
    broken.__enter__.return_value = broken
    broken.__exit__.return_value = None

    with mock.patch.object(files._file_system, "open", return_value=broken), pytest.raises(StoreUnreachable):
        read(files, "one", "input")
    broken.__exit__.assert_called_once()


def test_url_that_nothing_reaches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="URL"):
        open_job_files("nowhere://x", tmp_path)


@pytest.fixture
def unmounted(tmp_path: Path) -> JobFiles:
    """Files of a folder that was there when the process began, and of which only the mount point is left."""
    files = open_job_files(str(tmp_path / "jobs"), tmp_path / "spool")
    files.mark()
    with files.writer("one", "input") as file:
        file.write(b"rows")
    (tmp_path / "jobs").rename(tmp_path / "elsewhere")
    (tmp_path / "jobs").mkdir()
    return files


def test_folder_without_its_disk_is_not_empty(unmounted: JobFiles) -> None:
    assert not unmounted.is_marked()
    with pytest.raises(StoreUnreachable, match="mounted"):
        read(unmounted, "one", "input")


def test_nothing_is_written_where_the_disk_is_not(unmounted: JobFiles, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="mounted"), unmounted.writer("one", "results/a"):
        pytest.fail("It was opened.")
    with pytest.raises(StoreUnreachable, match="mounted"), unmounted.receiving("two"):
        pytest.fail("It was opened.")

    assert not list((tmp_path / "jobs").iterdir())
