"""The audit log is read by who, what, on what and when; nothing in it changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.db.repositories.audit import AuditEntry, AuditFilter, AuditRepository
from app.db.session import Database
from tests.factories.database import make_database

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = make_database(tmp_path)
    with database.write() as session:
        for number, (actor, action, target) in enumerate(
            [("cli", "alias.set", "a/aliases/x"), ("bot", "alias.set", "A/aliases/x"), ("bot", "route.set", "a/route")]
        ):
            AuditRepository(session).add(
                AuditEntry(
                    at=NOW + timedelta(minutes=number),
                    actor=actor,
                    action=action,
                    target=target,
                    details={"number": number},
                    request_id=f"r{number}",
                )
            )
    yield database
    database.close()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [2, 1, 0]),
        ({"actor": "bot"}, [2, 1]),
        ({"action": "alias.set"}, [1, 0]),
        ({"action": "alias"}, []),
        ({"target_prefix": "a/"}, [2, 0]),
        ({"target_prefix": "_/"}, []),
        ({"since": NOW + timedelta(minutes=1)}, [2, 1]),
        ({"until": NOW + timedelta(minutes=1)}, [0]),
        ({"actor": "bot", "target_prefix": "A"}, [1]),
    ],
)
def test_entries_are_narrowed_and_the_newest_first(
    database: Database, wanted: dict[str, Any], numbers: list[int]
) -> None:
    with database.read() as session:
        audit = AuditRepository(session)

        assert [entry.details["number"] for entry in audit.page(AuditFilter(**wanted))] == numbers
        assert audit.count(AuditFilter(**wanted)) == len(numbers)


def test_pages_follow_each_other(database: Database) -> None:
    with database.read() as session:
        (entry,) = AuditRepository(session).page(offset=1, limit=1)

    assert (entry.actor, entry.action, entry.target, entry.request_id) == ("bot", "alias.set", "A/aliases/x", "r1")
    assert entry.at == NOW + timedelta(minutes=1)
    assert entry.id == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "REPLACE INTO audit_entries SELECT id, at, '', action, target, details, request_id FROM audit_entries",
    ],
)
def test_nothing_changes_and_nothing_goes(database: Database, statement: str) -> None:
    with pytest.raises(IntegrityError, match="only grows"), database.write() as session:
        session.execute(text(statement))

    with database.read() as session:
        assert AuditRepository(session).count() == 3
