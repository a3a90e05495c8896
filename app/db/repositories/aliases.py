"""Names that point at versions, and every move they made."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.repositories.upsert import claim_row
from app.db.tables.models import AliasChangeRow, AliasRow
from app.errors import AliasNotFound
from model_store.model_ref import ModelRef


@dataclass(frozen=True, kw_only=True)
class AliasFacts:
    """A name that points at a version, and the version it pointed at before."""

    model_name: str
    alias: str
    version: int
    previous_version: int | None = None
    cache_ttl_s: int | None = None
    """How long answers are kept of callers who name it; None leaves it to the setting, 0 keeps none."""
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, kw_only=True)
class AliasChange:
    """One move of an alias. None as `from_version` made it, None as `to_version` deleted it."""

    model_name: str
    alias: str
    from_version: int | None
    to_version: int | None
    at: datetime
    by: str
    why: str = ""


class AliasRepository:
    """Aliases within one unit of work. Lock the model before you write: `ModelRepository.lock`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, name: str | None = None) -> list[AliasFacts]:
        """Return the aliases of one model or of all, in order."""
        query = select(AliasRow).order_by(AliasRow.model_name, AliasRow.alias)
        if name is not None:
            query = query.where(AliasRow.model_name == name)
        return [_facts(row) for row in self._session.scalars(query)]

    def find(self, name: str, alias: str) -> AliasFacts | None:
        """Return an alias, if there is one of that name."""
        row = self._session.get(AliasRow, (name, alias), populate_existing=True)
        return None if row is None else _facts(row)

    def claim(self, ref: ModelRef, alias: str, *, by: str, at: datetime) -> bool:
        """Point an alias at a version unless it points somewhere already, and say whether it does now."""
        values = {
            "model_name": ref.name,
            "alias": alias,
            "version": ref.version,
            "updated_at": at,
            "updated_by": by,
        }
        return claim_row(self._session, AliasRow, values)

    def move(self, ref: ModelRef, alias: str, *, by: str, at: datetime) -> int:
        """Point an alias that is there at another version, and return the one it pointed at.

        :raises AliasNotFound: when it is not there.
        """
        row = self._existing(ref.name, alias)
        before, row.previous_version = row.version, row.version
        row.version, row.updated_at, row.updated_by = ref.version, at, by
        self._session.flush()
        return before

    def set_cache_ttl(self, name: str, alias: str, cache_ttl_s: int | None) -> int | None:
        """Say how long answers are kept of callers who name an alias, and return what was said before.

        :raises AliasNotFound: when it is not there.
        """
        row = self._existing(name, alias)
        before, row.cache_ttl_s = row.cache_ttl_s, cache_ttl_s
        self._session.flush()
        return before

    def delete(self, name: str, alias: str) -> None:
        """Delete an alias.

        :raises AliasNotFound: when it is not there.
        """
        self._session.delete(self._existing(name, alias))
        self._session.flush()

    def record(self, change: AliasChange) -> None:
        """Append a move to the history."""
        self._session.add(AliasChangeRow(**vars(change)))
        self._session.flush()

    def history(self, name: str, alias: str, *, offset: int = 0, limit: int | None = None) -> list[AliasChange]:
        """Return the moves of an alias, the newest first, from `offset` on; also of one that was deleted."""
        query = (
            select(AliasChangeRow)
            .where(AliasChangeRow.model_name == name, AliasChangeRow.alias == alias)
            .order_by(AliasChangeRow.id.desc())
        )
        return [_change(row) for row in self._session.scalars(query.offset(offset).limit(limit))]

    def count_history(self, name: str, alias: str) -> int:
        """Count the moves of an alias."""
        query = select(func.count()).select_from(AliasChangeRow)
        return self._session.scalar(query.where(AliasChangeRow.model_name == name, AliasChangeRow.alias == alias)) or 0

    def _existing(self, name: str, alias: str) -> AliasRow:
        row = self._session.get(AliasRow, (name, alias), populate_existing=True, with_for_update=True)
        if row is None:
            raise AliasNotFound(name, alias)

        return row


def _facts(row: AliasRow) -> AliasFacts:
    return AliasFacts(
        model_name=row.model_name,
        alias=row.alias,
        version=row.version,
        previous_version=row.previous_version,
        cache_ttl_s=row.cache_ttl_s,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _change(row: AliasChangeRow) -> AliasChange:
    return AliasChange(
        model_name=row.model_name,
        alias=row.alias,
        from_version=row.from_version,
        to_version=row.to_version,
        at=row.at,
        by=row.by,
        why=row.why,
    )
