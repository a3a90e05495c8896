"""The course of a backup: SQL first, then what it speaks of, so that nothing is named that is not there."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from app.infra.job_files import open_job_files
from app.settings import Settings
from deploy.backup.archive import Archive, BackupFacts
from deploy.backup.database_dump import DUMP_FILE, DatabaseDump, DumpedFacts, dump_of
from deploy.backup.errors import BackupError
from deploy.backup.job_folders import copy_jobs
from deploy.backup.retention import sweep_unfinished
from deploy.backup.store_files import SavedVersions
from model_store.reader import open_store

# A version that is deleted between the dump and its copy makes both begin again; nobody deletes all the time.
MOST_ROUNDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup that was made."""

    folder: Path
    facts: BackupFacts


def make_backup(settings: Settings, target: Path, *, now: datetime, with_jobs: bool = False) -> Backup:
    """Save SQL and the store, and the files of jobs if wanted, into a new folder in `target`. All may be in use.

    :raises BackupError: when it cannot be done; what was begun goes with the next one.
    """
    with only_backup(target):
        sweep_unfinished(target)
        archive = Archive(target, now)
        dump = dump_of(settings.database_url)
        versions = SavedVersions(open_store(settings.store_url, settings.var_dir / "store-cache"), archive)
        dumped = _save(dump, versions, archive)
        jobs = None
        if with_jobs:
            jobs = copy_jobs(open_job_files(settings.jobs_url, settings.var_dir / "job-spool"), archive)
        facts = BackupFacts(
            created_at=now.isoformat(timespec="seconds"),
            galley=version("galley"),
            database=dump.kind,
            revision=dumped.revision,
            versions=[str(ref) for ref in sorted(versions.refs)],
            damaged=[str(ref) for ref in versions.damaged()],
            jobs=jobs,
        )
        return Backup(folder=archive.seal(facts), facts=facts)


@contextmanager
def only_backup(target: Path) -> Iterator[None]:
    """Hold the lock of a folder of backups.

    :raises BackupError: when another one is being made there.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (target / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise BackupError(f"Another backup is being made in {target}.") from err
        yield


def _save(dump: DatabaseDump, versions: SavedVersions, archive: Archive) -> DumpedFacts:
    """Dump SQL, copy the store, and begin again for as long as SQL names what could not be copied any more.

    A version enters the store before SQL, so a store that is read after SQL has all that SQL names; unless it was
    deleted in between, which the next dump knows.
    """
    for _ in range(MOST_ROUNDS):
        dumped = dump.take(archive.folder / DUMP_FILE)
        versions.copy_new()
        if dumped.versions <= versions.refs:
            for ref in dumped.deleted & versions.refs:
                versions.forget(ref)
            archive.note(DUMP_FILE)
            return dumped

    missing = ", ".join(str(ref) for ref in sorted(dumped.versions - versions.refs))
    raise BackupError(f"SQL names versions that the store does not have: {missing}.")
