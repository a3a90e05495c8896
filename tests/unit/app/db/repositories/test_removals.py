"""Rows of deleted versions stay, and count."""

from datetime import UTC, datetime
from pathlib import Path

from app.db.repositories.removals import RemovalRepository
from app.services.aliases import AliasMove, AliasService
from app.services.releases import ReleaseService
from model_store.model_ref import ModelRef
from tests.factories.database import make_database
from tests.factories.versions import accept, make_draft, make_store


def test_deleted_version_keeps_its_number_and_leads_nowhere(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    releases = ReleaseService(database, make_store(tmp_path))
    for _ in range(2):
        releases.release(make_draft(tmp_path), prove=accept, by="test")
    AliasService(database).set("tiny", "default", AliasMove(version="2", by="test"))

    with database.write() as session:
        removals = RemovalRepository(session)
        assert removals.numbers("tiny") == {1: False, 2: False}
        removals.delete(ModelRef("tiny", 1), datetime.now(UTC))
        assert removals.numbers("tiny") == {1: True, 2: False}
        assert removals.deleted() == [ModelRef("tiny", 1)]
        assert removals.numbers("unheard-of") == {}

    model = releases.catalog()["tiny"]
    assert (list(model.versions), model.aliases, model.previous) == ([2], {"default": 2}, {})
    database.close()
