"""The room that jobs leave on their disk, so that what has begun can end, and the rest of the machine goes on."""

import logging
from collections.abc import Callable

from app.errors import DiskFull, StoreUnreachable
from app.infra.disk import RETRY_AFTER_S
from app.infra.job_files import MARK, JobFiles
from app.infra.off_hub import off_hub

logger = logging.getLogger(__name__)


class JobRoom:
    """Says whether there is room for one more input, or for what one more chunk writes, and whether the disk is there.

    Where nobody can tell how much is left, as on an object store, there always is. A folder that was never used is
    marked at the first look. One without a mark is not: of a disk that is not mounted only the empty folder is seen,
    and jobs would end for the want of their inputs. `has_files` says whether jobs on record have any.
    """

    def __init__(self, files: JobFiles, *, reserve_bytes: int, has_files: Callable[[], bool] | None = None) -> None:
        self.files = files
        self._reserve_bytes = reserve_bytes
        self._has_files = has_files or (lambda: False)
        self._was_waited_for = False

    def check(self, size_bytes: int = 0) -> None:
        """Refuse so many bytes when less than the reserve would be left. Call it before they are read.

        :raises DiskFull: then.
        :raises StoreUnreachable: when the disk is not there.
        """
        free_bytes = self.free_bytes()
        if free_bytes is not None and free_bytes < self._reserve_bytes + size_bytes:
            raise DiskFull("The disk of jobs has no room for more; try again later.", retry_after_s=RETRY_AFTER_S)

    def is_short(self) -> bool:
        """Say whether chunks have to wait: for room, or for the disk to be there. The log is told when that changes."""
        why = self._reason_to_wait()
        if bool(why) != self._was_waited_for:
            self._was_waited_for = bool(why)
            logger.warning("chunks wait: %s", why) if why else logger.warning("chunks need not wait for the disk")
        return bool(why)

    def free_bytes(self) -> int | None:
        """Return how much is left; None where nobody can tell.

        :raises StoreUnreachable: when the disk is not there.
        """
        self.check_mounted()
        return off_hub(self.files.free_bytes)

    def check_mounted(self) -> None:
        """Refuse a folder that has lost what was in it.

        :raises StoreUnreachable: then.
        """
        if off_hub(self.files.is_marked):
            return

        # SQL is asked on the hub, as it has to be; the mark once more after it: a job of another's may be the first.
        if not off_hub(self.files.job_ids) and self._has_files() and not off_hub(self.files.is_marked):
            raise StoreUnreachable(f"The folder of jobs is empty, without {MARK}, and jobs have files: is it mounted?")
        off_hub(self.files.mark)

    def _reason_to_wait(self) -> str:
        try:
            free_bytes = self.free_bytes()
        except StoreUnreachable as err:
            return err.detail
        is_short = free_bytes is not None and free_bytes < self._reserve_bytes
        return f"the disk of jobs is short of JOB_DISK_RESERVE ({free_bytes} bytes are free)" if is_short else ""
