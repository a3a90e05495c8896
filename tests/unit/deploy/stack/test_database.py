"""What a reload reads of the catalogue, and what it says where there is no database."""

from pathlib import Path

import pytest

from deploy.stack.database import prepare_database, read_named_versions
from deploy.stack.errors import CannotStart
from tests.factories.settings import make_settings


def test_database_without_versions_names_none(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url=f"sqlite:///{tmp_path}/galley.db")
    prepare_database(settings)

    assert read_named_versions(settings) == set()


def test_database_that_is_away_is_named(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, database_url=f"sqlite:///{tmp_path}/nowhere/galley.db")

    with pytest.raises(CannotStart, match="DATABASE_URL does not answer"):
        read_named_versions(settings)
