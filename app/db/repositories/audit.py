"""Entries of the audit log: added, read, and never touched again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.db.tables.audit import AuditRow


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One change: when, by whom, what was done to what, with which particulars, in which request."""

    at: datetime
    actor: str
    action: str
    target: str
    details: dict[str, Any]
    request_id: str
    id: int = 0
    """Rises with each entry; 0 before it is recorded."""


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which entries to return. What is None does not narrow; `since` is part of the span, `until` is not."""

    actor: str | None = None
    action: str | None = None
    target_prefix: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = AuditFilter()


class AuditRepository:
    """The audit log within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entry: AuditEntry) -> None:
        """Append an entry; the database gives it its id."""
        self._session.add(
            AuditRow(
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                target=entry.target,
                details=entry.details,
                request_id=entry.request_id,
            )
        )
        self._session.flush()

    def page(self, wanted: AuditFilter = EVERYTHING, *, offset: int = 0, limit: int | None = None) -> list[AuditEntry]:
        """Return the entries that pass, the newest first, from `offset` on."""
        query = select(AuditRow).where(*_conditions(wanted)).order_by(AuditRow.id.desc())
        return [_entry(row) for row in self._session.scalars(query.offset(offset).limit(limit))]

    def count(self, wanted: AuditFilter = EVERYTHING) -> int:
        """Count the entries that pass."""
        return self._session.scalar(select(func.count()).select_from(AuditRow).where(*_conditions(wanted))) or 0


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.actor is not None:
        yield AuditRow.actor == wanted.actor
    if wanted.action is not None:
        yield AuditRow.action == wanted.action
    if wanted.target_prefix is not None:
        # Not LIKE: SQLite's takes `A` for `a`.
        yield func.substr(AuditRow.target, 1, len(wanted.target_prefix)) == wanted.target_prefix
    if wanted.since is not None:
        yield AuditRow.at >= wanted.since
    if wanted.until is not None:
        yield AuditRow.at < wanted.until


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        details=row.details,
        request_id=row.request_id,
    )
