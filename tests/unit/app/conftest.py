"""A database with the newest schema for each test that asks for one; a module that needs more in it brings its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.database import FragileDatabase, make_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FragileDatabase]:
    database = make_database(tmp_path)
    yield database
    database.close()
