"""SQL into one file, while it is used, and back: SQLite's online backup, PostgreSQL's own programs.

Both dumps see the database as it was at one moment, and the facts read with them are of that moment.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from app.db.migrate import current_revision, revision_of
from app.db.repositories.models import ModelRepository
from app.db.repositories.removals import RemovalRepository
from app.db.session import Database, Session
from deploy.backup.errors import BackupError
from deploy.backup.postgres_programs import check_dump, dump_database, replace_database
from model_store.model_ref import ModelRef

DUMP_FILE: Final = "database.dump"
_SQLITE_SCHEME: Final = "sqlite:///"
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@dataclass(frozen=True, kw_only=True)
class DumpedFacts:
    """What a dump knows: its schema, which versions there are, and which there were."""

    revision: str | None
    versions: frozenset[ModelRef]
    deleted: frozenset[ModelRef]


class DatabaseDump(Protocol):
    """How one kind of database is saved and put back."""

    kind: str

    def take(self, target: Path) -> DumpedFacts:
        """Write the file `target`; one that is there is replaced.

        :raises BackupError: when it cannot be done.
        """

    def is_empty(self) -> bool:
        """Say whether there is nothing that a restore would overwrite."""

    def check_free(self, source: Path) -> None:
        """Make sure that `put_back` would work, and change nothing.

        :raises BackupError: when others use the database, or `source` cannot be read.
        """

    def put_back(self, source: Path) -> None:
        """Make the database what it was; all that is in it goes.

        :raises BackupError: when it cannot be done, or others use it.
        """


def dump_of(url: str) -> DatabaseDump:
    """Return how the database at `url` is saved."""
    return SqliteDump(url) if url.startswith(_SQLITE_SCHEME) else PostgresDump(url)


class SqliteDump:
    """One file of SQLite, copied page by page within one reading transaction, beside whoever writes."""

    kind = "sqlite"

    def __init__(self, url: str) -> None:
        self._path = Path(urlsplit(url).path.removeprefix("/") or ":memory:")

    def take(self, target: Path) -> DumpedFacts:
        """Copy the file as it is at one moment, check the copy, and read the facts from it."""
        self.copy(target)
        return _facts_in(target)

    def copy(self, target: Path) -> None:
        """Copy the file as it is at one moment, and check the copy."""
        if not self._path.is_file():
            raise BackupError(f"There is no database {self._path}.")

        target.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(self._path)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
                _check(copy, target)
        except sqlite3.Error as err:
            raise BackupError(f"The database {self._path} cannot be copied: {err}.") from err

    def is_empty(self) -> bool:
        """Say whether there is no file yet, or one without a table."""
        if not self._path.is_file():
            return True

        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None

    def check_free(self, source: Path) -> None:
        """Check the copy, and take the lock that nobody has beside others."""
        try:
            with closing(sqlite3.connect(f"{source.absolute().as_uri()}?immutable=1", uri=True)) as copy:
                _check(copy, source)
        except sqlite3.Error as err:
            raise BackupError(f"The copy {source} cannot be read: {err}.") from err
        if self._path.is_file():
            self._lock()

    def _lock(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=0.0, isolation_level=None)) as connection:
                # SQLite lets go of the log only where nobody else has the file open.
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as err:
            raise BackupError(f"Others use the database {self._path} ({err}); end what uses it first.") from err
        except sqlite3.DatabaseError:
            # What is no database any more is nobody's, and replaced as a whole.
            return

    def put_back(self, source: Path) -> None:
        """Replace the file in one step. Whoever still had the old one open would go on with that: nobody may."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.restored")
        shutil.copyfile(source, new)
        new.chmod(0o600)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        new.replace(self._path)


class PostgresDump:
    """A database of PostgreSQL, by its own programs: they know all that can be in one."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    def take(self, target: Path) -> DumpedFacts:
        """Dump what one snapshot shows, and read the facts from the same."""
        with closing(Database(self._url)) as database, database.snapshot() as session:
            exported = session.connection().exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
            facts = read_facts(session)
            dump_database(self._url, target, snapshot=exported)
        target.chmod(0o600)
        return facts

    def is_empty(self) -> bool:
        """Say whether no table was ever made."""
        with closing(Database(self._url)) as database:
            return current_revision(database) is None

    def check_free(self, source: Path) -> None:
        """Have pg_restore read the dump, and ask PostgreSQL who else is connected."""
        check_dump(source)
        self._check_alone()

    def put_back(self, source: Path) -> None:
        """Replace all of it in one transaction: it is what the dump holds then, or what it was."""
        self._check_alone()
        replace_database(self._url, source)

    def _check_alone(self) -> None:
        with closing(Database(self._url)) as database, database.read() as session:
            others = session.connection().exec_driver_sql(_OTHERS).scalar_one()
        if others:
            raise BackupError(f"Other connections are open to the database ({others}); end what uses it first.")


def read_facts(session: Session) -> DumpedFacts:
    """Return what the database that a session sees knows of versions."""
    return DumpedFacts(
        revision=revision_of(session),
        versions=frozenset(facts.ref for facts in ModelRepository(session).versions()),
        deleted=frozenset(RemovalRepository(session).deleted()),
    )


def _facts_in(copy: Path) -> DumpedFacts:
    with closing(Database(f"{_SQLITE_SCHEME}{copy}")) as database, database.read() as session:
        facts = read_facts(session)
    # Opened as all of Galley's are, the copy has a log beside it now; a backup is one file.
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    copy.chmod(0o600)
    return facts


def _check(copy: sqlite3.Connection, path: Path) -> None:
    [(verdict,)] = copy.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise BackupError(f"The database is damaged, and so is its copy {path}: {verdict}.")
