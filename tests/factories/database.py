"""A migrated SQLite database in a folder, and one that can be taken away and given back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    upgrade(url)
    return FragileDatabase(url)
