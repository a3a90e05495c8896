"""Room on disks: on that of `VAR_DIR`, and on that of the files of jobs, which may be another one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.doctor.case import Case, local_folder, nearest_folder
from deploy.doctor.finding import Finding, error, good, warning

# SQL, what Redis writes down, logs and counters grow there: they fail one after the other once it is full.
LEAST_BYTES: Final = 2**30
TOO_FEW_BYTES: Final = 64 * 2**20


def room(case: Case) -> Iterator[Finding]:
    """Whether what a server writes for itself has room."""
    free = _free_bytes(case.settings.var_dir)
    says = f"The disk of {case.settings.var_dir} has {_in_gib(free)} free"
    if free < LEAST_BYTES:
        tell = error if free < TOO_FEW_BYTES else warning
        yield tell("room", f"{says}: SQLite, Redis and logs need room to grow.", "Make room, or move VAR_DIR.")
    else:
        yield good("room", f"{says}.")


def job_room(case: Case) -> Iterator[Finding]:
    """Whether jobs are taken in."""
    settings, folder = case.settings, local_folder(case.settings.jobs_url)
    if folder is None:
        yield good("job room", "Files of jobs lie on no disk of this machine: no reserve is kept.")
        return

    free = _free_bytes(folder)
    says = f"The disk of {folder} has {_in_gib(free)} free"
    mend = "Make room, let JOBS_URL name another disk, or set JOB_DISK_RESERVE lower."
    if free < settings.job_disk_reserve:
        yield error("job room", f"{says}, less than JOB_DISK_RESERVE: no job is taken in.", mend)
    elif free < settings.job_disk_reserve + settings.max_job_bytes:
        yield warning("job room", f"{says}: an input of MAX_JOB_BYTES and the reserve do not fit.", mend)
    else:
        yield good("job room", f"{says}.")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(nearest_folder(folder.absolute())).free


def _in_gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
