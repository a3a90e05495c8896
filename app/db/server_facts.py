"""What the database server says of itself."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.db.session import Database


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """A database server. `now` is None where its clock is this machine's: SQLite is no server."""

    dialect: str
    version: str
    now: datetime | None


def read_server_facts(database: Database) -> ServerFacts:
    """Ask the server.

    :raises DatabaseUnavailable: when it does not answer.
    """
    dialect = database.engine.dialect
    with database.look() as connection:
        if dialect.name == "sqlite":
            version = str(connection.execute(text("SELECT sqlite_version()")).scalar_one())
            return ServerFacts(dialect=dialect.name, version=version, now=None)

        version, now = connection.execute(text("SELECT current_setting('server_version'), clock_timestamp()")).one()
        return ServerFacts(dialect=dialect.name, version=version, now=now)
