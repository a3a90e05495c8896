"""Folders: to be written to, and on disks that keep what they say they keep."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.run_dir import LONGEST_RUN_DIR
from deploy.doctor.case import Case, nearest_folder
from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.checks import check_name

# A disk that is this slow to keep one small file delays every commit of SQL and of Redis.
SLOW_SYNC_S: Final = 0.1
LEAST_TEMP_BYTES: Final = 2**30
LEAST_SHARED_BYTES: Final = 64 * 2**20
MOST_SKEW_S: Final = 2.0
_WRITE_AND_ENTER: Final = os.W_OK | os.X_OK


def var_dir(case: Case) -> Iterator[Finding]:
    """The folder of all that a server writes."""
    folder = case.settings.var_dir
    mend = "Set VAR_DIR to a folder of your own."
    problems = check_name(folder)
    nearest = nearest_folder(folder)
    if problems:
        yield error("var dir", problems[0], mend)
    elif not os.access(nearest, _WRITE_AND_ENTER) or (folder.exists() and not folder.is_dir()):
        yield error("var dir", f"{folder} cannot be written to.", mend)
    else:
        yield good("var dir", f"{folder} can be written to.")


def syncing(case: Case) -> Iterator[Finding]:
    """Whether a file that was renamed into place stays, and how long that takes: all of Galley's files come so."""
    folder = nearest_folder(case.settings.var_dir)
    try:
        took_s = _keep_a_file(folder)
    except OSError as err:
        yield error(
            "syncing",
            f"A file in {folder} cannot be brought to the disk and renamed ({err.strerror}).",
            "Put VAR_DIR on a local disk with room.",
        )
        return

    if took_s > SLOW_SYNC_S:
        yield warning(
            "syncing",
            f"It takes {took_s * 1000:.0f} ms to bring a small file to the disk of {folder}.",
            "Put VAR_DIR on a quicker disk, which no other program keeps busy.",
        )
    else:
        yield good("syncing", f"A small file is on the disk within {took_s * 1000:.1f} ms.")


def temporary(_case: Case) -> Iterator[Finding]:
    """The folder for what is written for a moment."""
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < LEAST_TEMP_BYTES:
        yield warning(
            "temporary files",
            f"{folder} has {free / 2**20:.0f} MiB free.",
            "Make room there, or let TMPDIR name another folder.",
        )
    else:
        yield good("temporary files", f"{folder} has {free / 2**30:.1f} GiB free.")


def shared_memory(_case: Case, folder: Path = Path("/dev/shm")) -> Iterator[Finding]:  # noqa: S108 # nosec B108
    """The memory that torch's processes share: 64 MiB in a container that was not told otherwise."""
    if folder.is_dir() and shutil.disk_usage(folder).total <= LEAST_SHARED_BYTES:
        yield warning(
            "shared memory",
            f"{folder} has {shutil.disk_usage(folder).total / 2**20:.0f} MiB.",
            "Give the container more: shm_size of its service, or --shm-size.",
        )
    else:
        yield good("shared memory", f"{folder} is large enough.")


def run_dir(case: Case) -> Iterator[Finding]:
    """Where the sockets lie: their paths must be short, and their folder nobody else's."""
    folder = case.settings.run_dir
    if folder.exists() and folder.stat().st_uid != os.getuid():
        yield error(
            "run dir",
            f"{folder} belongs to another user: the sockets of another stack would be ours.",
            "Run as the user that it belongs to, or set VAR_DIR.",
        )
    elif folder != case.settings.var_dir / "run":
        yield warning(
            "run dir",
            f"The path of VAR_DIR is too long for sockets; they lie in {folder}, which a clean-up may empty.",
            f"Choose a VAR_DIR of at most {LONGEST_RUN_DIR - len('/run')} bytes, or spare {folder} from clean-ups.",
        )
    else:
        yield good("run dir", f"Sockets lie in {folder}.")


def file_clock(case: Case) -> Iterator[Finding]:
    """Whether files are dated as this machine's clock says: what is old is removed by their dates."""
    folder = nearest_folder(case.settings.var_dir)
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            skew_s = os.fstat(file.fileno()).st_mtime - time.time()
    except OSError as err:
        yield error("file clock", f"No file can be made in {folder} ({err.strerror}).", "Set VAR_DIR.")
        return

    if abs(skew_s) > MOST_SKEW_S:
        yield warning(
            "file clock",
            f"Files in {folder} are dated {skew_s:+.1f} s off this machine's clock.",
            "Let the machine that keeps the files set its clock by NTP, as this one.",
        )
    else:
        yield good("file clock", "Files are dated as this machine's clock says.")


def _keep_a_file(folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as scratch:
        began = time.monotonic()
        path = Path(scratch, "new")
        with path.open("wb") as file:
            file.write(b"kept")
            file.flush()
            os.fsync(file.fileno())
        path.rename(path.with_name("kept"))
        descriptor = os.open(scratch, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return time.monotonic() - began
