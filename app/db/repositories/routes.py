"""How the traffic of models splits. A deleted route leaves its revision: no later one has the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.repositories.upsert import put_row
from app.db.tables.models import RouteRow

# What a deleted route holds.
_NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class RouteFacts:
    """How a model's traffic splits: the route as it was put, and the buckets that were dealt for it."""

    model_name: str
    revision: int
    document: dict[str, Any]
    buckets: list[Any]
    updated_at: datetime
    updated_by: str

    @property
    def versions(self) -> set[int]:
        """The versions that its variants name by number."""
        return {variant["version"] for variant in self.document["variants"] if isinstance(variant["version"], int)}

    @property
    def aliases(self) -> set[str]:
        """The aliases that its variants name."""
        return {variant["version"] for variant in self.document["variants"] if isinstance(variant["version"], str)}


class RouteRepository:
    """Routes within one unit of work. Lock the model before you write: `ModelRepository.lock`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[RouteFacts]:
        """Return the routes of all models, in order."""
        rows = self._session.scalars(select(RouteRow).order_by(RouteRow.model_name))
        return [_facts(row) for row in rows if row.document]

    def find(self, name: str) -> RouteFacts | None:
        """Return a model's route, if it has one."""
        row = self._session.get(RouteRow, name, populate_existing=True)
        return _facts(row) if row is not None and row.document else None

    def next_revision(self, name: str) -> int:
        """Return the revision of the model's next route: never one that was given before."""
        row = self._session.get(RouteRow, name, populate_existing=True)
        return row.revision + 1 if row is not None else 1

    def put(self, facts: RouteFacts) -> None:
        """Give a model a route, whichever it had."""
        put_row(self._session, RouteRow, vars(facts))

    def delete(self, facts: RouteFacts) -> None:
        """Take a model's route away. What stays is who did it, when, and the revision, that of `facts`."""
        put_row(self._session, RouteRow, {**vars(facts), "document": _NOTHING, "buckets": []})


def _facts(row: RouteRow) -> RouteFacts:
    return RouteFacts(
        model_name=row.model_name,
        revision=row.revision,
        document=row.document,
        buckets=row.buckets,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
