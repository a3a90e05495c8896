"""A change and its entry are committed together, with the request that made them."""

import pytest

from app.db.repositories.audit import AuditFilter
from app.db.session import Database
from app.errors import ModelNotFound
from app.infra.log_context import log_fields
from app.services.audit import AuditLog


@pytest.fixture
def audit(database: Database) -> AuditLog:
    return AuditLog(database)


def test_an_entry_knows_its_request(database: Database, audit: AuditLog) -> None:
    with log_fields(request_id="r1"), database.write() as session:
        audit.record(session, action="alias.set", target="digits/aliases/default", by="bot", details={"to": 2})
    with database.write() as session:
        audit.record(session, action="alias.set", target="digits/aliases/next", by="cli", details={})

    later, first = audit.entries()
    assert (first.request_id, first.actor, first.details) == ("r1", "bot", {"to": 2})
    assert later.request_id == ""
    assert audit.entries(AuditFilter(actor="bot")) == [first]
    assert audit.count() == 2


def test_a_change_that_fails_leaves_no_entry(database: Database, audit: AuditLog) -> None:
    def fail() -> None:
        with database.write() as session:
            audit.record(session, action="alias.set", target="digits/aliases/default", by="bot", details={})
            raise ModelNotFound("digits")

    with pytest.raises(ModelNotFound):
        fail()
    assert audit.count() == 0
