"""What the tests of several services start from."""

from pathlib import Path

import pytest

from app.db.session import Database
from app.services.releases import ReleaseService
from tests.factories.versions import accept, make_draft, make_store


@pytest.fixture
def two_versions(database: Database, tmp_path: Path) -> None:
    """Release tiny/1, which is the default, and tiny/2."""
    releases = ReleaseService(database, make_store(tmp_path))
    for _ in range(2):
        releases.release(make_draft(tmp_path), prove=accept, by="test")


@pytest.fixture
def announced() -> list[None]:
    """What a service announced."""
    return []
