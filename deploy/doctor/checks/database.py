"""SQL: there, at the schema that this code needs, and of one mind with this machine about the time."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError

from app.db.migrate import current_revision, knows, newest_revision
from app.db.server_facts import ServerFacts, read_server_facts
from app.db.session import Database
from app.errors import DatabaseUnavailable
from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning

MOST_SKEW_S: Final = 1.0
_SQLITE: Final = "sqlite:///"
MIGRATE: Final = "Run `make db`, or start galley-prepare; `make run` does it by itself."


def database(case: Case) -> Iterator[Finding]:
    """Everything about the database."""
    url = case.settings.database_url
    if _is_missing_file(url):
        yield good("database", "The first start makes the file of SQLite.")
        return

    with closing(Database(url)) as opened:
        try:
            facts, revision = read_server_facts(opened), current_revision(opened)
        except DatabaseUnavailable as err:
            reason = getattr(err.__cause__, "orig", None) or err.__cause__ or err.detail
            yield error("database", f"It does not answer: {reason}.", "Start it, or set DATABASE_URL.")
            return
        except DatabaseError as err:
            yield error(
                "database", f"It is there, and is none: {err.orig}.", "Bring back a backup, or set DATABASE_URL."
            )
            return

    yield _kind(case, facts)
    yield _schema(case, revision)
    if facts.now is not None:
        yield _clock(facts.now)


def _kind(case: Case, facts: ServerFacts) -> Finding:
    if facts.dialect == "sqlite" and case.is_production:
        return warning(
            "database",
            "It is SQLite: one machine, one writer at a time.",
            "Set DATABASE_URL=postgresql+psycopg://… for more.",
        )

    return good("database", f"{facts.dialect} {facts.version} answers.")


def _schema(case: Case, revision: str | None) -> Finding:
    newest = newest_revision()
    if revision == newest:
        return good("schema", f"It is at revision {newest}.")
    if revision is not None and not knows(revision):
        return error("schema", f"It is at revision {revision}, which this code does not know.", "Deploy newer code.")

    tell = error if case.is_running else warning
    return tell("schema", f"It is at revision {revision or 'none'}, and this code needs {newest}.", MIGRATE)


def _clock(now: datetime) -> Finding:
    skew_s = (now - datetime.now(UTC)).total_seconds()
    if abs(skew_s) > MOST_SKEW_S:
        return warning(
            "database clock",
            f"The server's clock is {skew_s:+.1f} s off this machine's.",
            "Let both machines set their clocks by NTP: leases of jobs go by this machine's.",
        )

    return good("database clock", "The server's clock is this machine's.")


def _is_missing_file(url: str) -> bool:
    """Say whether a database of SQLite is still to be made: to look at it would make it."""
    if not url.startswith(_SQLITE):
        return False

    try:
        return not Path(url.removeprefix(_SQLITE)).exists()
    except PermissionError:
        # SQLite has better words for it.
        return False
