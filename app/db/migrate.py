"""Bring a database's schema up, down, and say where it stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from app.db.session import Database, Session, make_engine
from app.errors import DatabaseUnavailable

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"

# Two processes that migrate at the same time: the second waits for the first, then finds nothing left to do.
_POSTGRES_LOCK = 7_165_393


def upgrade(url: str, revision: str = "head") -> None:
    """Apply all revisions up to `revision`, all of them or none.

    :raises DatabaseUnavailable: when the database does not answer.
    """
    with _locked(url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(url: str, revision: str) -> None:
    """Take revisions back down to `revision` (`base` for all, `-1` for the last), all of them or none.

    :raises DatabaseUnavailable: when the database does not answer.
    """
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def draft_revision(url: str, message: str) -> Path:
    """Write a revision that brings the database at `url` to the tables as they are in code. Read it before use."""
    number = f"{len(list(_scripts().walk_revisions())) + 1:04d}"
    with _locked(url) as connection:
        script = command.revision(_config(connection), message=message, autogenerate=True, rev_id=number)
    if script is None or isinstance(script, list):
        raise RuntimeError(f"Alembic wrote no revision for {message!r}.")

    return Path(script.path)


@cache
def newest_revision() -> str | None:
    """Return the revision that this code needs."""
    return _scripts().get_current_head()


def current_revision(database: Database) -> str | None:
    """Return the revision the database is at, None before the first.

    :raises DatabaseUnavailable: when the database does not answer.
    """
    with database.read() as session:
        return revision_of(session)


def revision_of(session: Session) -> str | None:
    """Return the revision of the database that a session sees, None before the first."""
    return MigrationContext.configure(session.connection()).get_current_revision()


def knows(revision: str) -> bool:
    """Say whether this code can bring a database of that revision to its own."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def is_migrated(database: Database) -> bool:
    """Say whether the database has the schema that this code needs.

    :raises DatabaseUnavailable: when the database does not answer.
    """
    return current_revision(database) == newest_revision()


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """Open one transaction in which nobody else migrates, and commit it at the end of the block."""
    engine = make_engine(url, statement_limit_s=None)
    try:
        with _connected(engine) as connection:
            yield connection
            connection.commit()
    finally:
        engine.dispose()


def _connected(engine: Engine) -> Connection:
    try:
        connection = engine.connect()
        if engine.dialect.name == "sqlite":
            _begin_sqlite(connection)
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    except OperationalError as err:
        raise DatabaseUnavailable("The database does not answer, or cannot be written to.") from err

    return connection


def _begin_sqlite(connection: Connection) -> None:
    # Dropping the old copy of a table must not cascade into its children. Has no effect once a transaction runs.
    connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    connection.execution_options(begin_immediate=True).begin()


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))
