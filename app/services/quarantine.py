"""Quarantine: where uploads lie, one folder per job, until they are proven or refused."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.infra.disk import disk_errors
from app.infra.off_hub import off_hub


def quarantine_of(var_dir: Path) -> "Quarantine":
    """Return the quarantine of the machine whose VAR_DIR this is."""
    return Quarantine(var_dir / "quarantine")


class Quarantine:
    """Folders of uploads under one root, which web workers write and Celery workers of the same machine read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, job_id: str) -> Path:
        """Return where a job's upload lies, if it is there."""
        return self.root / job_id

    @contextmanager
    def receiving(self, job_id: str) -> Iterator[Path]:
        """Make the folder of a job to be; if the block raises, however it does, nothing of it stays."""
        folder = self.folder(job_id)
        with disk_errors():
            off_hub(_make, folder)
        try:
            yield folder
        except BaseException:
            self.remove(job_id)
            raise

    def remove(self, job_id: str) -> None:
        """Remove a job's upload, if it is there."""
        off_hub(_remove, self.folder(job_id))

    def sweep(self, needed: frozenset[str], *, older_than_s: float) -> int:
        """Remove the uploads of no job in `needed` that nobody added to for so long; return how many."""
        before = time.time() - older_than_s
        removed = 0
        for folder in self.root.glob("*"):
            try:
                if folder.name not in needed and folder.stat().st_mtime < before:
                    shutil.rmtree(folder)
                    removed += 1
            except FileNotFoundError:
                # Its job ended in this moment, and took it away itself.
                continue
        return removed


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)


def _remove(folder: Path) -> None:
    # The job's client and its worker may remove it at the same moment, each what the other leaves.
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
