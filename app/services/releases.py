"""Releases: a version enters the store, gets its row in SQL, and the names that point at it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from app.db.repositories.models import ModelRepository, RouteFacts, VersionFacts
from app.db.session import Database
from app.errors import DigestMismatch, ModelNotFound, RedisUnavailable, VersionNotFound
from model_store.layout import manifest_path
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef, check_alias
from model_store.publisher import Prove, VersionDraft, publish
from model_store.reader import ModelStore

logger = logging.getLogger(__name__)

DEFAULT_ALIAS = "default"
CATALOG_CHANNEL = "galley:catalog:changed"


@dataclass(frozen=True, kw_only=True)
class DesiredVersion:
    """A version that should have runners, and the digest its manifest must have; these two tell versions apart."""

    ref: ModelRef
    digest: str
    instances: int = field(default=1, compare=False)
    is_pinned: bool = field(default=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """All versions of one model, and the names that point at them."""

    name: str
    aliases: dict[str, int]
    versions: dict[int, VersionFacts]
    previous: dict[str, int] = field(default_factory=dict)
    """By alias, the version it pointed at before."""
    route: RouteFacts | None = None

    def resolve(self, version: str | None = None) -> VersionFacts:
        """Return the version that a number or an alias means; None means the alias `default`.

        :raises VersionNotFound: when there is none.
        """
        wanted = version or DEFAULT_ALIAS
        numbers = self.aliases | {str(number): number for number in self.versions}
        if wanted not in numbers:
            raise VersionNotFound(self.name, wanted)

        return self.versions[numbers[wanted]]


Catalog = dict[str, CatalogModel]


def desired_version(facts: VersionFacts) -> DesiredVersion:
    """Return what the controller is to run for a version."""
    return DesiredVersion(ref=facts.ref, digest=facts.digest, instances=facts.instances, is_pinned=facts.is_pinned)


def no_notice() -> None:
    """Tell nobody that the catalog changed."""


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
        facts = self._read_facts(ref, by=by, is_pinned=pin)
        with self._database.write() as session:
            repository = ModelRepository(session)
            repository.add_version(facts)
            repository.claim_alias(ref, DEFAULT_ALIAS, by=by, at=facts.created_at)
            if alias is not None:
                repository.set_alias(ref, alias, by=by, at=facts.created_at)
        self._announce()
        logger.info("released %s", ref)
        return ref

    def adopt_store(self, *, by: str = "store") -> list[ModelRef]:
        """Record the versions that the store has and SQL does not; return them."""
        with self._database.read() as session:
            known = {facts.ref for facts in ModelRepository(session).versions()}
        adopted = [ref for ref in self._store.refs() if ref not in known]
        if not adopted:
            return []

        found = [self._read_facts(ref, by=by) for ref in adopted]
        with self._database.write() as session:
            repository = ModelRepository(session)
            for facts in found:
                repository.add_version(facts, overwrite=False)
                repository.claim_alias(facts.ref, DEFAULT_ALIAS, by=by, at=facts.created_at)
        self._announce()
        return adopted

    def set_alias(self, ref: ModelRef, alias: str, *, by: str) -> None:
        """Point an alias at a version.

        :raises VersionNotFound: when it is not released.
        """
        with self._database.write() as session:
            ModelRepository(session).set_alias(ref, check_alias(alias), by=by, at=datetime.now(UTC))
        self._announce()

    def set_pinned(self, ref: ModelRef, is_pinned: bool) -> None:
        """Pin a version, so that it stays loaded though no alias names it, or let it go.

        :raises VersionNotFound: when it is not released.
        """
        with self._database.write() as session:
            ModelRepository(session).set_pinned(ref, is_pinned)
        self._announce()

    def catalog(self) -> Catalog:
        """Return all models with their versions and aliases, as SQL has them."""
        with self._database.read() as session:
            repository = ModelRepository(session)
            # PostgreSQL reads each at a moment of its own: in this order no alias is younger than the versions.
            aliases, routes, versions = repository.aliases(), repository.routes(), repository.versions()

        catalog: Catalog = {}
        for facts in versions:
            model = catalog.setdefault(facts.ref.name, CatalogModel(name=facts.ref.name, aliases={}, versions={}))
            model.versions[facts.ref.version] = facts
        for alias in aliases:
            model = catalog[alias.model_name]
            model.aliases[alias.alias] = alias.version
            if alias.previous_version is not None:
                model.previous[alias.alias] = alias.previous_version
        for route in routes:
            if route.model_name in catalog:
                catalog[route.model_name] = replace(catalog[route.model_name], route=route)
        return catalog

    def find(self, name: str, version: str | None = None) -> VersionFacts:
        """Return the version that a model's name and a number, an alias or nothing mean.

        :raises ModelNotFound: when no version of the name is released.
        :raises VersionNotFound: when the model has none such.
        """
        model = self.catalog().get(name)
        if model is None:
            raise ModelNotFound(name)

        return model.resolve(version)

    def desired(self) -> list[DesiredVersion]:
        """Return the versions that should have a runner: pinned or named by an alias, and not run by Celery."""
        desired = []
        for model in self.catalog().values():
            named = set(model.aliases.values())
            for version, facts in model.versions.items():
                if facts.is_wanted_online and (facts.is_pinned or version in named):
                    desired.append(desired_version(facts))
        return desired

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

    def _read_facts(self, ref: ModelRef, *, by: str, is_pinned: bool = False) -> VersionFacts:
        manifest = self._store.manifest(ref)
        return VersionFacts(
            ref=ref,
            digest=self._store.digest(ref),
            task=manifest.task,
            execution=manifest.execution,
            size_bytes=sum(entry.size_bytes for entry in manifest.files.values()),
            is_pinned=is_pinned,
            created_at=datetime.now(UTC),
            created_by=by,
        )

    def _announce(self) -> None:
        try:
            self._notify()
        except RedisUnavailable as err:
            # What was released stands; readers of the catalog look again by themselves every second.
            logger.warning("nobody was told that the catalog changed: %s", err.detail)
