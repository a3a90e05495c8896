"""The files of jobs, copied into a backup and put back from one."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from typing import Final

from app.infra.job_files import ERRORS, INPUT, RESULTS, SLICES, JobFiles
from deploy.backup.archive import Archive, paths_in

JOBS_FOLDER: Final = "jobs"


def copy_jobs(files: JobFiles, archive: Archive) -> int:
    """Copy the files of all jobs; return of how many. What goes meanwhile is left out."""
    return sum(_copy_job(files, job_id, archive) for job_id in files.job_ids())


def _copy_job(files: JobFiles, job_id: str, archive: Archive) -> bool:
    """Copy what a job has; say whether it still was there at the end."""
    copied = {name for name in _names(files, job_id) if _copy_file(files, job_id, name, archive)}
    # A job goes file by file: it is looked at until nothing more goes.
    while gone := copied.difference(_names(files, job_id)):
        for name in gone:
            archive.drop(_place(job_id, name))
        copied -= gone
    return bool(copied)


def _copy_file(files: JobFiles, job_id: str, name: str, archive: Archive) -> bool:
    try:
        with files.reader(job_id, name) as source:
            archive.add(_place(job_id, name), source)
    except FileNotFoundError:
        return False

    return True


def put_jobs_back(backup: Path, files: JobFiles) -> None:
    """Bring the files of jobs back, each whole or not at all; whatever is there under its name goes.

    The place is marked as in use, though the backup may hold no files: else it would pass for a disk that is missing.
    """
    if files.is_local:
        files.mark()
    for path in paths_in(backup, JOBS_FOLDER):
        job_id, _, name = path.partition("/")
        with (backup / JOBS_FOLDER / path).open("rb") as source, files.writer(job_id, name) as target:
            copyfileobj(source, target)


def _names(files: JobFiles, job_id: str) -> Iterator[str]:
    if files.size(job_id, INPUT) is not None:
        yield INPUT
    for folder in (SLICES, RESULTS, ERRORS):
        yield from files.names(job_id, folder)


def _place(job_id: str, name: str) -> str:
    return f"{JOBS_FOLDER}/{job_id}/{name}"
