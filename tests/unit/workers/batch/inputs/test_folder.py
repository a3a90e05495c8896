"""The input of a job and its slices are found wherever the files lie."""

from dataclasses import replace
from pathlib import Path

from app.infra.job_files import INPUT, SLICES, open_job_files
from workers.batch.inputs.folder import JobFolder


def make_folder(root: Path) -> JobFolder:
    files = open_job_files(str(root), root / "spool")
    with files.writer("one", INPUT) as file:
        file.write(b"0123456789")
    return JobFolder(files, "one")


def test_input_is_read_from_any_byte(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with folder.open_input(7) as file:
        assert file.read() == b"789"
    assert folder.input_bytes() == 10


def test_each_attempt_has_slices_of_its_own(tmp_path: Path) -> None:
    first = make_folder(tmp_path)
    second = replace(first, attempt=2)
    for folder in (first, second):
        with folder.new_slice(folder.slice_name(1, "tar")) as file:
            file.write(b"of %d" % folder.attempt)

    with second.open_slice(first.slice_name(1, "tar")) as file:
        assert file.read() == b"of 1"
    assert first.slice_name(1, "tar") != second.slice_name(1, "tar")


def test_attempt_discards_its_own_slices_only(tmp_path: Path) -> None:
    first = make_folder(tmp_path)
    for folder in (first, replace(first, attempt=11)):
        with folder.new_slice(folder.slice_name(1, "tar")):
            pass
    first.discard_slices()

    assert first.files.names("one", SLICES) == ["slices/11.000001.tar"]
