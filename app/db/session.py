"""Units of work on SQL: short transactions that never hold a gevent hub on a locked SQLite file."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.errors import DatabaseUnavailable
from app.infra.off_hub import off_hub

# Services hand a unit of work on to repositories, and know SQLAlchemy by no other name.
__all__ = ["Database", "Session", "make_engine"]

# A locked SQLite file is waited for in steps of LOCK_STEP_S, by sleeping, which gevent turns into a switch.
# SQLite's own busy handler would hold the whole worker instead.
LOCK_STEP_S = 0.01
LOCK_WAIT_S = 5.0
# How long one may wait for a pooled connection, for a new one, and for one statement on PostgreSQL.
POOL_WAIT_S = 5.0
CONNECT_WAIT_S = 3
STATEMENT_LIMIT_S = 10.0
READS_MUCH: Final = {"reads_much": True}
"""Execution options of a statement that goes through many rows: SQLite would hold the worker's hub meanwhile.

Rows that it returns are fetched on the hub all the same: let them be few.
"""
# PostgreSQL's codes for a table and for a column that is not there.
UNMIGRATED_STATES = frozenset({"42P01", "42703"})


class Database:
    """The engine of one process. Make it after fork; share it between greenlets and threads.

    :raises DatabaseUnavailable: from `look`, `read` and `write` when the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading; whatever it changed is rolled back."""
        with self._wrapped(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Open a connection for one look, without a session: half as dear, where that is asked for again and again."""
        with self._wrapped(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a session for reading whose queries all see the database as it was at the first of them."""
        with self.read() as session:
            # SQLite does so anyway.
            if self.engine.dialect.name == "postgresql":
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits at the end of the block, or rolls back if it raises."""
        with self._wrapped(), Session(self.engine, expire_on_commit=False) as session:
            self._begin_write(session)
            yield session
            session.commit()

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _begin_write(self, session: Session) -> None:
        """Take SQLite's write lock now, so that no later statement of the unit can meet a lock."""
        if self.engine.dialect.name != "sqlite":
            return

        session.connection(execution_options={"begin_immediate": True})

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, PoolTimeout) as err:
            raise DatabaseUnavailable("The database does not answer; try again shortly.") from err
        except ProgrammingError as err:
            # What SQLite calls an OperationalError; anything else is a mistake of ours.
            if getattr(err.orig, "sqlstate", "") in UNMIGRATED_STATES:
                raise DatabaseUnavailable("The database is not migrated; run `make db`.") from err
            raise
        except DBAPIError as err:
            if err.connection_invalidated:
                raise DatabaseUnavailable("The connection to the database was lost; try again.") from err
            raise


def make_engine(url: str | URL, *, statement_limit_s: float | None = STATEMENT_LIMIT_S) -> Engine:
    """Build an engine with Galley's SQLite pragmas or PostgreSQL timeouts.

    `statement_limit_s` bounds each statement on PostgreSQL; None lets migrations take their time.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 0.0}, pool_timeout=POOL_WAIT_S)
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "do_execute", _execute_off_hub)
        return engine

    limit_ms = int((statement_limit_s or 0) * 1000)
    connect_args = {
        "connect_timeout": CONNECT_WAIT_S,
        # A host that vanished without a word is noticed, instead of waited for as long as TCP does.
        "tcp_user_timeout": 5000,
        "options": f"-c statement_timeout={limit_ms} -c lock_timeout={limit_ms} -c timezone=utc",
    }
    return create_engine(parsed, pool_pre_ping=True, pool_timeout=POOL_WAIT_S, connect_args=connect_args)


def _set_pragmas(connection: Any, _record: Any) -> None:
    # SQLAlchemy, not the driver, says when a transaction begins.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        _retry_locked(partial(connection.execute, f"PRAGMA {pragma}"))


def _begin_sqlite(connection: Any) -> None:
    is_write = connection.get_execution_options().get("begin_immediate", False)
    statement = "BEGIN IMMEDIATE" if is_write else "BEGIN"
    _retry_locked(partial(connection.exec_driver_sql, statement))


def _execute_off_hub(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Run a statement that `READS_MUCH` in a thread; say whether it was run."""
    if READS_MUCH.keys().isdisjoint(context.execution_options):
        return False

    off_hub(cursor.execute, statement, parameters)
    return True


def _retry_locked(attempt: Callable[[], object]) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            attempt()
        except (OperationalError, sqlite3.OperationalError) as err:
            if "locked" not in str(err) or time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_STEP_S)
        else:
            return
