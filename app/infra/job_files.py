"""The files of jobs, on any fsspec file system: what was sent, and what came of it, a folder per job.

A file appears whole under its name, or not at all.
"""

import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast

from fsspec.implementations.local import LocalFileSystem

from app.errors import StoreUnreachable
from app.infra.disk import disk_errors
from app.infra.off_hub import off_hub
from model_store.file_system import open_file_system
from model_store.files import sync_folder

logger = logging.getLogger(__name__)

INPUT: Final = "input"
SLICES: Final = "slices"
RESULTS: Final = "results"
ERRORS: Final = "errors"
# What is being received or written; no job is called so.
STAGING: Final = ".staging"
# Says that files of jobs are kept in the folder: of a disk that is not mounted only the empty folder is seen.
MARK: Final = ".in-use"
# What was left half received or half written so long ago belongs to nobody: no upload and no chunk takes a day.
LEFT_S: Final = 24 * 3600.0


class JobFiles:
    """Files by job and name (`results/000001.1.ndjson`). All calls block on files or network; hubs call them off.

    `spool_dir` is a local folder: uploads arrive there, and files for a remote file system are written there first.

    :raises StoreUnreachable: from every method, when the file system fails, or its folder is not mounted any more.
    :raises DiskFull: from what writes, when there is no room.
    """

    def __init__(self, file_system: Any, root: str, spool_dir: Path) -> None:
        self._file_system = file_system
        self._root = root.rstrip("/")
        self._spool_dir = Path(self._root) / STAGING if self.is_local else spool_dir
        self._was_marked = False

    @property
    def is_local(self) -> bool:
        """Whether they are files of this machine."""
        return isinstance(self._file_system, LocalFileSystem)

    @contextmanager
    def receiving(self, job_id: str) -> Iterator[Path]:
        """Make a local folder for the input of a job to be; it goes at the end of the block."""
        folder = self._spool_dir / job_id
        off_hub(self._check_mark)
        with _failures():
            off_hub(_make_folder, folder)
        try:
            yield folder
        finally:
            off_hub(shutil.rmtree, folder, True)

    def take_in(self, job_id: str, name: str, path: Path) -> None:
        """Make the local file at `path`, which is synced, a file of a job: a rename, or an upload."""
        with _failures():
            off_hub(self._publish, path, job_id, name)

    @contextmanager
    def writer(self, job_id: str, name: str) -> Iterator[BinaryIO]:
        """Open a file to be written; it appears at the end of the block, synced. If the block raises, nothing stays."""
        path = self._spool_dir / uuid.uuid4().hex
        self._check_mark()
        try:
            with _failures():
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                self._publish(path, job_id, name)
        finally:
            with suppress(FileNotFoundError):
                path.unlink()

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        """Open a file of this machine that has no name, to be written and read; it goes at the end of the block."""
        with ExitStack() as closing:
            with _failures():
                self._spool_dir.mkdir(parents=True, exist_ok=True)
                file = closing.enter_context(tempfile.TemporaryFile(dir=self._spool_dir))
            yield cast("BinaryIO", file)

    @contextmanager
    def reader(self, job_id: str, name: str, *, offset: int = 0) -> Iterator[BinaryIO]:
        """Open a file at `offset`: seekable, in bytes.

        :raises FileNotFoundError: when there is none of that name.
        """
        try:
            with _failures():
                file = self._file_system.open(self._path(job_id, name), "rb")
        except FileNotFoundError as err:
            if not self.is_marked():
                raise _unmounted() from err
            raise
        # What is read in the block fails like any other call.
        with _failures(), file:
            file.seek(offset)
            yield cast("BinaryIO", file)

    def size(self, job_id: str, name: str) -> int | None:
        """Return how many bytes a file has; None when there is none of that name."""
        with _failures(), suppress(FileNotFoundError):
            return int(self._file_system.size(self._path(job_id, name)))
        return None

    def names(self, job_id: str, folder: str) -> list[str]:
        """Return the names of the files in a folder of a job, in order; none when there is no such folder."""
        prefix = self._path(job_id, folder)
        with _failures():
            self._file_system.invalidate_cache(prefix)
            with suppress(FileNotFoundError, NotADirectoryError):
                entries = self._file_system.ls(prefix, detail=False)
                return sorted(f"{folder}/{PurePosixPath(entry).name}" for entry in entries)
        return []

    def job_ids(self) -> list[str]:
        """Return the jobs that have files."""
        with _failures():
            self._file_system.invalidate_cache(self._root)
            with suppress(FileNotFoundError):
                entries = self._file_system.ls(self._root, detail=False)
                return sorted({PurePosixPath(entry).name for entry in entries} - {STAGING, MARK})
        return []

    def delete(self, job_id: str, folder: str = "") -> None:
        """Remove all files of a job, or those of one folder."""
        path = self._path(job_id, folder).rstrip("/")
        with _failures(), suppress(FileNotFoundError):
            self._file_system.rm(path, recursive=True)

    def changed_at(self, job_id: str) -> datetime | None:
        """Return when the newest file of a job was written; None when it has none."""
        root = self._path(job_id, "").rstrip("/")
        with _failures(), suppress(FileNotFoundError):
            # Of an empty folder its own time.
            paths: list[str] = self._file_system.find(root) or [root]
            newest: datetime = max(self._file_system.modified(path) for path in paths)
            return newest
        return None

    def sweep_staging(self, older_than_s: float = LEFT_S) -> int:
        """Remove what was left half received or half written on this machine, so long ago; return how many."""
        before = time.time() - older_than_s
        with _failures():
            old = [path for path in _entries(self._spool_dir) if _is_older(path, before)]
            for path in old:
                _remove(path)
        return len(old)

    def free_bytes(self) -> int | None:
        """Return the room that is left; None where nobody can tell."""
        if not self.is_local:
            return None

        try:
            with _failures():
                return shutil.disk_usage(self._root).free
        except FileNotFoundError as err:
            raise _unmounted() from err

    def is_marked(self) -> bool:
        """Say whether the folder is the one that files were kept in before; a remote file system always is."""
        if not self.is_local:
            return True

        with _failures():
            is_marked = Path(self._root, MARK).exists()
        self._was_marked = self._was_marked or is_marked
        return is_marked

    def mark(self) -> None:
        """Mark the folder, which is made if it is not there: from now on it is in use."""
        folder = Path(self._root)
        with _failures():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / MARK).touch()
            sync_folder(folder)
        self._was_marked = True

    def _check_mark(self) -> None:
        """Write nothing into the folder that a disk leaves which is mounted no more: nobody would find it."""
        if self._was_marked and not self.is_marked():
            raise _unmounted()

    def _path(self, job_id: str, name: str) -> str:
        return f"{self._root}/{job_id}/{name}"

    def _publish(self, path: Path, job_id: str, name: str) -> None:
        target = self._path(job_id, name)
        if not self.is_local:
            self._file_system.put_file(str(path), target)
            return

        Path(target).parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        sync_folder(Path(target).parent)


def open_job_files(url: str, spool_dir: Path) -> JobFiles:
    """Open the files of jobs at a folder or fsspec URL.

    :raises StoreUnreachable: when nothing installed can reach such a URL.
    """
    file_system, root = open_file_system(url, what="the files of jobs")
    return JobFiles(file_system, root, spool_dir)


def sweep_at_start(files: JobFiles) -> None:
    """Remove what earlier processes left half received or half written on this machine, if its disk lets us."""
    try:
        count = files.sweep_staging()
    except StoreUnreachable as err:
        logger.warning("files of jobs that were left half written stay: %s", err.detail)
        return
    if count:
        logger.info("%s files of jobs that were left half written are removed", count)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        with disk_errors():
            yield
    except FileNotFoundError:
        raise
    except OSError as err:
        raise StoreUnreachable(f"The files of jobs cannot be reached: {err.strerror or type(err).__name__}.") from err


def _unmounted() -> StoreUnreachable:
    return StoreUnreachable(f"The folder of jobs has no {MARK} any more: is it mounted?")


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_older(path: Path, before: float) -> bool:
    # What was just published, or ended in vain, is gone between the list and the look.
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime < before
    return False


def _remove(path: Path) -> None:
    # Several processes may sweep at once.
    with suppress(FileNotFoundError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
