"""Deleting versions: one that is named, or all but the newest of a model and those that something names."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.db.repositories.models import ModelRepository
from app.db.repositories.removals import RemovalRepository
from app.db.session import Database, Session
from app.errors import VersionInUse, VersionNotFound
from app.infra.off_hub import off_hub
from app.services.audit import AuditLog
from app.services.catalog import CatalogModel, announce, locked_model, no_notice, read_model
from app.services.releases import version_target
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from model_store.removal import remove

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetentionPlan:
    """What keeping the newest of a model means: the versions that go, and why each of the others stays."""

    name: str
    goes: tuple[int, ...]
    stays: dict[int, list[str]]


class RetentionService:
    """Deletes versions: first from SQL, so that nobody calls them, then from the store. Share it between threads.

    `notify` is called after each change that was committed; it should publish on CATALOG_CHANNEL.
    """

    def __init__(self, database: Database, store: ModelStore, *, notify: Callable[[], None] = no_notice) -> None:
        self._database = database
        self._store = store
        self._notify = notify

    def delete(self, ref: ModelRef, *, by: str) -> None:
        """Delete a version that nothing names; its runners end, its number is never given again.

        When the store fails, the version is deleted all the same, and `finish` removes its files later.

        :raises ModelNotFound: when there is no such model.
        :raises VersionNotFound: when it has no such version.
        :raises VersionInUse: while an alias, the route or a pin names it, or a job that has not ended needs it.
        :raises StoreUnreachable: when its files could not be removed yet.
        """
        with self._database.write() as session:
            model = locked_model(session, ref.name)
            if ref.version not in model.versions:
                raise VersionNotFound(ref.name, str(ref.version))
            uses = ModelRepository(session).uses(ref)
            if uses:
                raise VersionInUse(ref.name, ref.version, "; ".join(uses))
            _delete(session, model, ref, by)
        announce(self._notify)
        self._remove(ref)

    def plan(self, name: str, *, keep: int) -> RetentionPlan:
        """Say what `prune` would do.

        :raises ModelNotFound: when there is no such model.
        """
        with self._database.snapshot() as session:
            return _plan(session, read_model(session, name), keep)

    def prune(self, name: str, *, keep: int, by: str) -> RetentionPlan:
        """Delete all versions of a model but the newest `keep` and those that something names.

        :raises ModelNotFound: when there is no such model.
        :raises StoreUnreachable: when files could not be removed yet.
        """
        with self._database.write() as session:
            model = locked_model(session, name)
            plan = _plan(session, model, keep)
            for version in plan.goes:
                _delete(session, model, ModelRef(name, version), by)
        if plan.goes:
            announce(self._notify)
        for version in plan.goes:
            self._remove(ModelRef(name, version))
        return plan

    def finish(self) -> list[ModelRef]:
        """Remove the files of deleted versions that are still there; return those versions."""
        return [ref for ref in self.deleted() if remove(self._store, ref)]

    def deleted(self) -> list[ModelRef]:
        """Return all versions that were ever deleted, in order."""
        with self._database.read() as session:
            return RemovalRepository(session).deleted()

    def _remove(self, ref: ModelRef) -> None:
        logger.info("deleted %s", ref)
        if self._store.is_local:
            # The kernel takes its time to give back the blocks of large files.
            off_hub(remove, self._store, ref)
        else:
            remove(self._store, ref)


def _plan(session: Session, model: CatalogModel, keep: int) -> RetentionPlan:
    newest = sorted(model.versions, reverse=True)[:keep]
    stays: dict[int, list[str]] = {}
    for version in sorted(model.versions):
        reasons = ModelRepository(session).uses(ModelRef(model.name, version))
        # A rollback leads there, and until the alias's version is READY it is what answers.
        reasons += [
            f"the alias '{alias}' pointed at it before" for alias, old in model.previous.items() if old == version
        ]
        if version in newest:
            reasons.append(f"it is one of the newest {keep}")
        if reasons:
            stays[version] = reasons
    return RetentionPlan(name=model.name, goes=tuple(sorted(model.versions.keys() - stays.keys())), stays=stays)


def _delete(session: Session, model: CatalogModel, ref: ModelRef, by: str) -> None:
    RemovalRepository(session).delete(ref, datetime.now(UTC))
    details = {"digest": model.versions[ref.version].digest}
    AuditLog.record(session, action="version.delete", target=version_target(ref), by=by, details=details)
