"""Letting go of what jobs left on disk: results that were kept for long enough, and files that nobody names."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from app.db.repositories.job_chunks import JobChunkRepository
from app.db.repositories.job_remains import PAGE, EndedJob, JobRemainRepository
from app.db.repositories.jobs import JobRepository
from app.db.session import Database
from app.errors import StoreUnreachable
from app.infra.clock import Clock
from app.infra.job_files import ERRORS, RESULTS, SLICES, JobFiles
from app.services.batch_jobs import BatchJobs
from app.services.job_room import JobRoom
from app.services.jobs import JOB_ID

logger = logging.getLogger(__name__)

# An input of no job lies there before its job is recorded; no upload and no submission takes a day.
ORPHANED_S: Final = 24 * 3600.0
# A worker that lost its chunk, as the job ended, may write its output all the same; it is ended long before this.
STRAYED_S: Final = 3600.0
# A job is looked through each hour for so long; what is left then goes with all else of the job.
SWEPT_S: Final = 48 * 3600.0
# So many folders may fail in one go before the file system is what fails.
MOST_FAILED: Final = 20

FindPage = Callable[[JobRemainRepository, EndedJob | None], list[EndedJob]]
"""Finds the jobs that come behind one of the page before."""


@dataclass
class Removal:
    """What went in one go, jobs or files, and how many jobs' files could not be removed: they are tried again."""

    removed: list[str] = field(default_factory=list)
    failed: int = 0

    def note_failure(self, job_id: str, error: StoreUnreachable) -> None:
        """Count a job whose files stay.

        :raises StoreUnreachable: when there are so many that no more need be tried.
        """
        self.failed += 1
        logger.error("files of job %s cannot be removed: %s", job_id, error.detail)
        if self.failed > MOST_FAILED:
            raise error


class JobRetention:
    """Removes files of jobs: first the files, then what SQL says of them, so that a failure is made good next time.

    Both methods go on with the other jobs when the files of some cannot be removed.

    :raises StoreUnreachable: from both, when the files as a whole cannot be reached; what was removed so far is.
    """

    def __init__(
        self, database: Database, jobs: BatchJobs, room: JobRoom, *, keep_days: int, clock: Clock | None = None
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._room = room
        self._files: JobFiles = room.files
        self._kept = timedelta(days=keep_days)
        self._clock = clock or Clock()

    def purge(self) -> Removal:
        """Remove input and results of the jobs that ended too long ago, and return those; their rows stay."""
        self._room.check_mounted()
        removal = Removal()
        before = self._clock.utcnow() - self._kept
        for job in self._paged(lambda remains, behind: remains.ended(before, behind=behind, most=PAGE)):
            try:
                self._files.delete(job.id)
            except StoreUnreachable as err:
                removal.note_failure(job.id, err)
            else:
                self._jobs.note_purged(job.id)
                removal.removed.append(job.id)
        return removal

    def sweep(self) -> Removal:
        """Remove what nobody names, and return it: files without a job, output of attempts that did not count."""
        self._room.check_mounted()
        removal = Removal([""] * self._files.sweep_staging())
        for job_id in self._orphans():
            logger.warning("the files under %s are of no job; they are removed", job_id)
            self._remove(removal, job_id, [""])
        now = self._clock.utcnow()
        since, before = now - timedelta(seconds=SWEPT_S), now - timedelta(seconds=STRAYED_S)
        for job in self._paged(lambda remains, behind: remains.swept(since, before, behind=behind, most=PAGE)):
            self._remove(removal, job.id, self._strays(job.id))
        return removal

    def _paged(self, find: FindPage) -> Iterator[EndedJob]:
        behind: EndedJob | None = None
        while True:
            # Read to its end before its jobs are changed: no transaction stays open over files.
            with self._database.read() as session:
                page = find(JobRemainRepository(session), behind)
            yield from page
            if len(page) < PAGE:
                return
            behind = page[-1]

    def _orphans(self) -> Iterator[str]:
        """Yield the folders of jobs that are not recorded, or whose files were removed before."""
        # Whatever else lies there is not ours.
        folders = [name for name in self._files.job_ids() if JOB_ID.fullmatch(name)]
        before = self._clock.utcnow() - timedelta(seconds=ORPHANED_S)
        for start in range(0, len(folders), PAGE):
            some = folders[start : start + PAGE]
            # Asked after the folders: a job that was submitted meanwhile is among them.
            with self._database.read() as session:
                kept = JobRemainRepository(session).kept_among(some)
            yield from (job_id for job_id in some if job_id not in kept and self._is_older(job_id, before))

    def _is_older(self, job_id: str, before: datetime) -> bool:
        changed_at = self._files.changed_at(job_id)
        return changed_at is not None and changed_at < before

    def _remove(self, removal: Removal, job_id: str, names: list[str]) -> None:
        try:
            for name in names:
                self._files.delete(job_id, name)
                removal.removed.append(f"{job_id}/{name}")
        except StoreUnreachable as err:
            removal.note_failure(job_id, err)

    def _strays(self, job_id: str) -> list[str]:
        named = self._named(job_id)
        written = [name for folder in (SLICES, RESULTS, ERRORS) for name in self._files.names(job_id, folder)]
        return [name for name in written if name not in named]

    def _named(self, job_id: str) -> set[str | None]:
        """Return the files that a job's chunks name; those of a single chunk are named by the job's own place."""
        with self._database.read() as session:
            chunks = JobChunkRepository(session).of_job(job_id)
            shared = JobRepository(session).place_of(job_id)
        slices = {place.get("slice") for place in (shared, *(chunk.place for chunk in chunks))}
        return slices.union(*((chunk.results, chunk.errors) for chunk in chunks))
