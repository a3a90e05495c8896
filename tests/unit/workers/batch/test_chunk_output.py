"""The files of a chunk's attempt: whole, or not there."""

import errno
from pathlib import Path

import pytest

from app.db.repositories.job_chunks import ChunkFacts, ChunkState
from app.errors import DiskFull
from app.infra.job_files import JobFiles, open_job_files
from workers.batch.chunk_output import ChunkOutput

CHUNK = ChunkFacts(
    job_id="job", number=7, queue="batch", state=ChunkState.RUNNING, first_row=1, row_count=3, place={}, attempt=2
)


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    return open_job_files(str(tmp_path / "jobs"), tmp_path / "spool")


def all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_lines_are_in_files_of_the_attempt(files: JobFiles) -> None:
    with ChunkOutput(files, CHUNK) as output:
        output.results.write([b"one\n", b"two\n"])
        output.errors.write([b"bad\n"])
        output.results.write([b"three\n"])
        assert files.names("job", "results") == []

    assert (output.results.name, output.results.lines) == ("results/000007.2.ndjson", 3)
    assert (output.errors.name, output.errors.lines) == ("errors/000007.2.ndjson", 1)
    with files.reader("job", output.results.name) as results, files.reader("job", output.errors.name) as errors:
        assert (results.read(), errors.read()) == (b"one\ntwo\nthree\n", b"bad\n")


def test_no_lines_are_no_file(files: JobFiles, tmp_path: Path) -> None:
    with ChunkOutput(files, CHUNK) as output:
        output.errors.write([])

    assert (output.results.name, output.errors.name, all_files(tmp_path)) == ("", "", [])


def write_and_fail(files: JobFiles, error: Exception) -> None:
    with ChunkOutput(files, CHUNK) as output:
        output.results.write([b"one\n"])
        output.errors.write([b"bad\n"])
        raise error


def test_block_that_raises_leaves_nothing(files: JobFiles, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_and_fail(files, KeyError())

    assert all_files(tmp_path) == []


def test_full_disk_has_a_word(files: JobFiles, tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        write_and_fail(files, OSError(errno.ENOSPC, "No space left on device"))

    assert all_files(tmp_path) == []
