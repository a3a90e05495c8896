"""The audit log: who changed what, when and in which request."""

from typing import Any

from app.db.repositories.audit import EVERYTHING, AuditEntry, AuditFilter, AuditRepository
from app.db.session import Database, Session
from app.infra.clock import Clock
from app.infra.log_context import current_request_id


class AuditLog:
    """Records changes, and reads them back. Threads and greenlets may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def record(session: Session, *, action: str, target: str, by: str, details: dict[str, Any]) -> None:
        """Append an entry to the unit of work that makes the change: both are committed, or neither.

        `action` is `noun.verb` (`alias.set`), `target` what it was done to (`digits/aliases/default`), `details`
        values that JSON can hold, never a secret.
        """
        entry = AuditEntry(
            at=Clock().utcnow(),
            actor=by,
            action=action,
            target=target,
            details=details,
            request_id=current_request_id(),
        )
        AuditRepository(session).add(entry)

    def entries(
        self, wanted: AuditFilter = EVERYTHING, *, offset: int = 0, limit: int | None = None
    ) -> list[AuditEntry]:
        """Return the entries that pass, the newest first, from `offset` on."""
        with self._database.read() as session:
            return AuditRepository(session).page(wanted, offset=offset, limit=limit)

    def count(self, wanted: AuditFilter = EVERYTHING) -> int:
        """Count the entries that pass."""
        with self._database.read() as session:
            return AuditRepository(session).count(wanted)
