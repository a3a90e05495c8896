"""Which versions are to run: load and unload, pins, and how many instances; the controller sees to it."""

import time
from collections.abc import Callable
from typing import Any, Final

from app.db.repositories.models import ModelRepository, VersionFacts
from app.db.session import Database
from app.errors import HeavyModel, LoadFailed
from app.inference.directory_reader import DirectoryReader
from app.inference.load_estimate import LoadEstimate
from app.services.audit import AuditLog
from app.services.catalog import announce, no_notice
from app.services.releases import version_target
from model_store.model_ref import ModelRef

MOST_INSTANCES: Final = 16
# The controller hears of an unload within milliseconds, or at its heartbeat while Redis is away.
UNLOAD_NOTICE_S: Final = 5.0

Change = Callable[[ModelRepository], None]


class ResidencyService:
    """Changes what should run, each change with its entry in the audit log. Threads and greenlets may share it.

    `notify` is called after each change that was committed; it should publish on CATALOG_CHANNEL.
    """

    def __init__(
        self,
        database: Database,
        directory: DirectoryReader,
        *,
        estimate: LoadEstimate | None = None,
        notify: Callable[[], None] = no_notice,
    ) -> None:
        self._database = database
        self._directory = directory
        self._estimate = estimate or LoadEstimate(directory)
        self._notify = notify

    def load(self, ref: ModelRef, *, by: str, deadline: float) -> None:
        """Have a version run, whoever unloaded it, and return once it is READY.

        Blocks the caller until `deadline` (monotonic) at most. A version that was unloaded and cannot be loaded
        stays unloaded. A heavy one answers from now on: whichever worker is asked loads it then.

        :raises VersionNotFound: when it is not released.
        :raises LoadFailed: when it cannot be loaded.
        :raises ModelLoading: when it was not READY in time; it is still being loaded.
        """
        before = self._change(ref, "load", lambda repository: repository.set_unloaded(ref, False), by=by)
        if before.execution == "heavy":
            return

        self._directory.want(ref, is_pressing=True)
        if self._directory.wait_ready(ref, deadline):
            return
        if not self._directory.has_failed(ref):
            raise self._estimate.refusal(ref)

        reason = self._directory.why_failed(ref)
        if before.is_unloaded:
            self._change(ref, "unload", lambda repository: repository.set_unloaded(ref, True), by=by, reason=reason)
        raise LoadFailed(ref.name, ref.version, reason)

    def unload(self, ref: ModelRef, *, by: str) -> None:
        """Have a version not run, whatever names it, until somebody loads it. Its runners answer what they hold.

        Blocks until the directory calls none of them READY, UNLOAD_NOTICE_S at most: a load that came before would
        take one that is about to end for loaded.

        :raises VersionNotFound: when it is not released.
        """
        self._change(ref, "unload", lambda repository: repository.set_unloaded(ref, True), by=by)
        self._directory.wait_unready(ref, time.monotonic() + UNLOAD_NOTICE_S)

    def pin(self, ref: ModelRef, *, by: str) -> None:
        """Have a version stay loaded, whether anything names it or not, whoever else needs memory.

        :raises VersionNotFound: when it is not released.
        """
        self._change(ref, "pin", lambda repository: repository.set_pinned(ref, True), by=by)

    def unpin(self, ref: ModelRef, *, by: str) -> None:
        """Let go of a pinned version.

        :raises VersionNotFound: when it is not released.
        """
        self._change(ref, "unpin", lambda repository: repository.set_pinned(ref, False), by=by)

    def set_instances(self, ref: ModelRef, instances: int, *, by: str) -> None:
        """Have a version run in so many runners: 1 to MOST_INSTANCES.

        :raises VersionNotFound: when it is not released.
        :raises HeavyModel: when no runner is kept for it.
        """
        change: Change = lambda repository: repository.set_instances(ref, instances)  # noqa: E731
        self._change(ref, "set_instances", change, by=by, instances=instances)

    def _change(self, ref: ModelRef, verb: str, change: Change, *, by: str, **details: Any) -> VersionFacts:
        """Make a change, and return the version as it was before."""
        with self._database.write() as session:
            repository = ModelRepository(session)
            before = repository.find(ref)
            if before.execution == "heavy" and verb == "set_instances":
                raise HeavyModel(ref.name)

            change(repository)
            AuditLog.record(session, action=f"version.{verb}", target=version_target(ref), by=by, details=details)
        announce(self._notify)
        return before
