"""A migrated SQLite database in a folder, and one that can be taken away and given back."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.orm import Session

from app.db.migrate import upgrade
from app.db.session import Database
from app.errors import DatabaseUnavailable


class FragileDatabase(Database):
    """A database that counts reads and, while `is_away`, fails as a dead server does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.is_away = False
        self.reads = 0

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading, if the database is there."""
        self.reads += 1
        if self.is_away:
            raise DatabaseUnavailable("The database was taken away.")
        with super().read() as session:
            yield session


def make_database(folder: Path) -> FragileDatabase:
    """Make a database with the newest schema; close it at the end."""
    url = f"sqlite:///{folder}/galley.db"
    migrate(url)
    return FragileDatabase(url)


def migrate(url: str) -> None:
    """Bring a database to the newest schema; a new one on SQLite gets the bytes of one that was migrated before.

    Hundreds of tests want a database, and to run all migrations for each takes a minute in all.
    """
    parsed = make_url(url)
    is_new = parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists()
    if not is_new:
        upgrade(url)
        return
    Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
    Path(parsed.database or "").write_bytes(_migrated_file())


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "galley.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()
