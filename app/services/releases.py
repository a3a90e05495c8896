"""Releases: a version enters the store, gets its row in SQL, and the names that point at it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from app.db.repositories.models import ModelRepository, VersionFacts
from app.db.repositories.removals import RemovalRepository
from app.db.session import Database, Session
from app.errors import DigestMismatch, ModelNotFound
from app.services.aliases import claim_alias, point_alias
from app.services.audit import AuditLog
from app.services.catalog import (
    DEFAULT_ALIAS,
    Catalog,
    announce,
    no_notice,
    read_catalog,
)
from model_store.layout import manifest_path
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef, check_alias
from model_store.publisher import Prove, VersionDraft, publish
from model_store.reader import ModelStore

logger = logging.getLogger(__name__)

FIRST_VERSION: Final = "the first version of its name"


class ReleaseService:
    """The versions of a store and their rows in SQL. Share it between threads.

    `notify` is called after each change that was committed; it should publish on CATALOG_CHANNEL.
    """

    def __init__(self, database: Database, store: ModelStore, *, notify: Callable[[], None] = no_notice) -> None:
        self._database = database
        self._store = store
        self._notify = notify

    def release(
        self, draft: VersionDraft, *, prove: Prove, by: str, alias: str | None = None, pin: bool = False
    ) -> ModelRef:
        """Publish a draft and record it; the first version of a name takes `default`.

        When SQL fails after the store took the version, `adopt_store` records it later.

        :raises StoreError: when the draft cannot be trusted; nothing is left behind then.
        :raises VersionExists: when its version is taken.
        """
        if alias is not None:
            check_alias(alias)
        # Before the store takes a version that SQL, if it is away or was never migrated, could not record.
        self.catalog()
        ref = publish(self._store, draft, prove=prove)
        self._enter(ref, by=by, alias=alias, pin=pin)
        return ref

    def resume(self, job: str, name: str, *, by: str, alias: str | None = None, pin: bool = False) -> ModelRef | None:
        """Return the version that a job published before its worker was lost, None if it did not come so far.

        Where that worker was lost before it recorded the version, it is recorded now.
        """
        for ref in reversed(self._store.refs_of(name)):
            if self._store.manifest(ref).job == job:
                if ref.version not in self._numbers(name):
                    self._enter(ref, by=by, alias=alias, pin=pin)
                return ref

        return None

    def adopt_store(self, *, by: str = "store") -> list[ModelRef]:
        """Record the versions that the store has and SQL does not; return them."""
        with self._database.read() as session:
            # Deleted ones are known too: their files may still be on their way out.
            known = {facts.ref for facts in ModelRepository(session).versions()}
            known.update(RemovalRepository(session).deleted())
        adopted = [ref for ref in self._store.refs() if ref not in known]
        if not adopted:
            return []

        found = [self._read_facts(ref, by=by) for ref in adopted]
        with self._database.write() as session:
            repository = ModelRepository(session)
            for facts in found:
                if repository.add_version(facts, overwrite=False):
                    _record(session, "version.adopt", facts)
                claim_alias(session, facts.ref, DEFAULT_ALIAS, by=by, why=FIRST_VERSION)
        announce(self._notify)
        return adopted

    def catalog(self) -> Catalog:
        """Return all models with their versions, aliases and routes, as SQL has them at one moment."""
        with self._database.snapshot() as session:
            return read_catalog(session)

    def find(self, name: str, version: str | None = None) -> VersionFacts:
        """Return the version that a model's name and a number, an alias or nothing mean.

        :raises ModelNotFound: when no version of the name is released.
        :raises VersionNotFound: when the model has none such.
        """
        model = self.catalog().get(name)
        if model is None:
            raise ModelNotFound(name)

        return model.resolve(version)

    def manifest(self, ref: ModelRef) -> Manifest:
        """Return a version's manifest, from the store."""
        return self._store.manifest(ref)

    def verify(self, facts: VersionFacts) -> None:
        """Hash all files of a version, the manifest too, and compare with what was released.

        :raises DigestMismatch: when bytes differ.
        :raises MissingFile: when one is gone.
        """
        if self._store.digest(facts.ref) != facts.digest:
            raise DigestMismatch(manifest_path(facts.ref))

        self._store.verify(facts.ref)

    def _numbers(self, name: str) -> dict[int, bool]:
        with self._database.read() as session:
            return RemovalRepository(session).numbers(name)

    def _enter(self, ref: ModelRef, *, by: str, alias: str | None, pin: bool) -> None:
        facts = self._read_facts(ref, by=by, is_pinned=pin)
        with self._database.write() as session:
            repository = ModelRepository(session)
            repository.add_version(facts)
            repository.lock(ref.name)
            _record(session, "version.release", facts)
            claim_alias(session, ref, DEFAULT_ALIAS, by=by, why=FIRST_VERSION)
            if alias is not None:
                point_alias(session, ref, alias, by=by, why="named when it was released")
        announce(self._notify)
        logger.info("released %s", ref)

    def _read_facts(self, ref: ModelRef, *, by: str, is_pinned: bool = False) -> VersionFacts:
        manifest = self._store.manifest(ref)
        return VersionFacts(
            ref=ref,
            digest=self._store.digest(ref),
            task=manifest.task,
            execution=manifest.execution,
            size_bytes=sum(entry.size_bytes for entry in manifest.files.values()),
            is_pinned=is_pinned,
            is_cached=manifest.cache.enabled,
            is_cached_per_client=manifest.cache.per_client,
            created_at=datetime.now(UTC),
            created_by=by,
        )


def version_target(ref: ModelRef) -> str:
    """Return how the audit log calls a version."""
    return f"{ref.name}/versions/{ref.version}"


def _record(session: Session, action: str, facts: VersionFacts) -> None:
    details = {"digest": facts.digest, "task": facts.task, "size_bytes": facts.size_bytes, "pinned": facts.is_pinned}
    AuditLog.record(session, action=action, target=version_target(facts.ref), by=facts.created_by, details=details)
