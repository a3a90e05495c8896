"""The files of jobs are saved with their names, and the place they come back to passes for one in use."""

from pathlib import Path
from typing import BinaryIO

import pytest

from app.infra.job_files import JobFiles, open_job_files
from deploy.backup.archive import Archive, paths_in
from deploy.backup.job_folders import copy_jobs, put_jobs_back
from model_store.manifest import FileEntry
from tests.factories.saved_sites import JOB, NOW, Site


def content(files: JobFiles, name: str) -> bytes:
    with files.reader(JOB, name) as file:
        return file.read()


def test_files_come_back_under_their_names(site: Site, tmp_path: Path) -> None:
    site.add_job_files()
    archive = Archive(tmp_path / "backups", NOW)
    other = open_job_files(str(tmp_path / "other"), tmp_path / "spool")

    assert copy_jobs(site.jobs, archive) == 1
    put_jobs_back(archive.folder, other)

    assert other.job_ids() == [JOB]
    assert content(other, "input") == b"input"
    assert content(other, "results/000001.1.ndjson") == b"results/000001.1.ndjson"


@pytest.mark.parametrize("name", ["input", "results/000001.1.ndjson"])
def test_a_job_that_goes_while_it_is_copied_is_left_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site.add_job_files()
    add, archive = Archive.add, Archive(tmp_path / "backups", NOW)

    def add_while_it_goes(self: Archive, relative: str, source: BinaryIO) -> FileEntry:
        entry = add(self, relative, source)
        if relative.endswith(name):
            site.jobs.delete(JOB)
        return entry

    monkeypatch.setattr(Archive, "add", add_while_it_goes)

    assert copy_jobs(site.jobs, archive) == 0
    assert list(paths_in(archive.folder, "jobs")) == []


def test_a_file_that_goes_takes_no_other_with_it(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_job_files()
    add, archive = Archive.add, Archive(tmp_path / "backups", NOW)

    def add_and_lose(self: Archive, relative: str, source: BinaryIO) -> FileEntry:
        site.jobs.delete(JOB, "results/000001.1.ndjson")
        return add(self, relative, source)

    monkeypatch.setattr(Archive, "add", add_and_lose)

    assert copy_jobs(site.jobs, archive) == 1
    assert list(paths_in(archive.folder, "jobs")) == [f"{JOB}/input"]


def test_a_place_without_jobs_is_marked_all_the_same(site: Site, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "backups", NOW)
    other = open_job_files(str(tmp_path / "other"), tmp_path / "spool")

    assert copy_jobs(site.jobs, archive) == 0
    put_jobs_back(archive.folder, other)

    assert other.is_marked()
