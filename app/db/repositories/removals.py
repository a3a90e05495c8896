"""Deleted versions: their rows stay, so that their numbers are never given again."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db.tables.models import AliasRow, ModelVersionRow
from model_store.model_ref import ModelRef


class RemovalRepository:
    """Deletions of versions within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def numbers(self, name: str) -> dict[int, bool]:
        """Return all numbers that versions of a model ever had, and whether each was deleted."""
        columns = (ModelVersionRow.version, ModelVersionRow.deleted_at)
        rows = self._session.execute(select(*columns).where(ModelVersionRow.model_name == name))
        return {version: deleted_at is not None for version, deleted_at in rows}

    def deleted(self) -> list[ModelRef]:
        """Return all versions that were deleted, in order."""
        rows = self._session.execute(
            select(ModelVersionRow.model_name, ModelVersionRow.version)
            .where(ModelVersionRow.deleted_at.is_not(None))
            .order_by(ModelVersionRow.model_name, ModelVersionRow.version)
        )
        return [ModelRef(name, version) for name, version in rows]

    def delete(self, ref: ModelRef, at: datetime) -> None:
        """Mark a version as deleted; no alias goes back to it from now on."""
        is_it = (ModelVersionRow.model_name == ref.name, ModelVersionRow.version == ref.version)
        self._session.execute(update(ModelVersionRow).where(*is_it).values(deleted_at=at))
        led_to_it = (AliasRow.model_name == ref.name, AliasRow.previous_version == ref.version)
        self._session.execute(update(AliasRow).where(*led_to_it).values(previous_version=None))
