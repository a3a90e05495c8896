"""Model versions, and the aliases that point at them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.base import Base
from app.db.tables.models import AliasRow, ModelVersionRow, RouteRow
from app.errors import VersionNotFound
from model_store.model_ref import ModelRef


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What SQL knows of a version. `digest` is the SHA-256 of its manifest, `size_bytes` counts all its files."""

    ref: ModelRef
    digest: str
    task: str
    execution: str
    size_bytes: int
    is_pinned: bool
    is_unloaded: bool = False
    """Whether somebody wants it not to run."""
    instances: int = 1
    """How many runners it should have."""
    created_at: datetime
    created_by: str

    @property
    def is_wanted_online(self) -> bool:
        """Whether runners may serve it: it is not Celery's, and nobody unloaded it."""
        return self.execution == "online" and not self.is_unloaded


@dataclass(frozen=True, kw_only=True)
class AliasFacts:
    """A name that points at a version, and the version it pointed at before."""

    model_name: str
    alias: str
    version: int
    previous_version: int | None = None


@dataclass(frozen=True, kw_only=True)
class RouteFacts:
    """How a model's traffic splits: the route as it was put, and the buckets that were dealt for it."""

    model_name: str
    revision: int
    document: dict[str, Any]
    buckets: list[Any]
    updated_at: datetime
    updated_by: str


class ModelRepository:
    """Versions and aliases within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_version(self, facts: VersionFacts, *, overwrite: bool = True) -> None:
        """Record a version; one already recorded takes these facts, or with `overwrite=False` keeps its own."""
        values = {
            "model_name": facts.ref.name,
            "version": facts.ref.version,
            "digest": facts.digest,
            "task": facts.task,
            "execution": facts.execution,
            "size_bytes": facts.size_bytes,
            "is_pinned": facts.is_pinned,
            "is_unloaded": facts.is_unloaded,
            "instances": facts.instances,
            "created_at": facts.created_at,
            "created_by": facts.created_by,
        }
        self._put(ModelVersionRow, values, overwrite=overwrite)

    def versions(self, name: str | None = None) -> list[VersionFacts]:
        """Return the versions of one model or of all, in order, without those that were deleted."""
        query = (
            select(ModelVersionRow)
            .where(ModelVersionRow.deleted_at.is_(None))
            .order_by(ModelVersionRow.model_name, ModelVersionRow.version)
        )
        if name is not None:
            query = query.where(ModelVersionRow.model_name == name)
        return [_version_facts(row) for row in self._session.scalars(query)]

    def aliases(self, name: str | None = None) -> list[AliasFacts]:
        """Return the aliases of one model or of all, in order."""
        query = select(AliasRow).order_by(AliasRow.model_name, AliasRow.alias)
        if name is not None:
            query = query.where(AliasRow.model_name == name)
        return [
            AliasFacts(
                model_name=row.model_name,
                alias=row.alias,
                version=row.version,
                previous_version=row.previous_version,
            )
            for row in self._session.scalars(query)
        ]

    def routes(self) -> list[RouteFacts]:
        """Return the routes of all models."""
        return [
            RouteFacts(
                model_name=row.model_name,
                revision=row.revision,
                document=row.document,
                buckets=row.buckets,
                updated_at=row.updated_at,
                updated_by=row.updated_by,
            )
            for row in self._session.scalars(select(RouteRow).order_by(RouteRow.model_name))
        ]

    def set_alias(self, ref: ModelRef, alias: str, *, by: str, at: datetime) -> None:
        """Point an alias at a version, wherever it pointed before.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref)
        self._put(AliasRow, _alias_values(ref, alias, by, at), overwrite=True)

    def claim_alias(self, ref: ModelRef, alias: str, *, by: str, at: datetime) -> None:
        """Point an alias at a version unless it points somewhere already.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref)
        self._put(AliasRow, _alias_values(ref, alias, by, at), overwrite=False)

    def set_pinned(self, ref: ModelRef, is_pinned: bool) -> None:
        """Pin a version, so that it stays loaded, or let it go.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref).is_pinned = is_pinned
        self._session.flush()

    def _row(self, ref: ModelRef) -> ModelVersionRow:
        row = self._session.get(ModelVersionRow, (ref.name, ref.version), populate_existing=True)
        if row is None or row.deleted_at is not None:
            raise VersionNotFound(ref.name, str(ref.version))

        return row

    def _put(self, row_class: type[Base], values: dict[str, Any], *, overwrite: bool) -> None:
        """Insert a row, in one statement whatever others insert meanwhile."""
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        statement = sqlite.insert(row_class) if is_sqlite else postgresql.insert(row_class)
        statement = statement.values(values)
        if overwrite:
            keys = [column.name for column in row_class.__table__.primary_key]
            changes = {name: value for name, value in values.items() if name not in keys}
            statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
        else:
            statement = statement.on_conflict_do_nothing()
        self._session.execute(statement)


def _alias_values(ref: ModelRef, alias: str, by: str, at: datetime) -> dict[str, Any]:
    return {"model_name": ref.name, "alias": alias, "version": ref.version, "updated_at": at, "updated_by": by}


def _version_facts(row: ModelVersionRow) -> VersionFacts:
    return VersionFacts(
        ref=ModelRef(row.model_name, row.version),
        digest=row.digest,
        task=row.task,
        execution=row.execution,
        size_bytes=row.size_bytes,
        is_pinned=row.is_pinned,
        is_unloaded=row.is_unloaded,
        instances=row.instances,
        created_at=row.created_at,
        created_by=row.created_by,
    )
