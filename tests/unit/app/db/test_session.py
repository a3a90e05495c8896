"""Units of work commit, roll back, wait for locks without holding the hub, and name outages."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from app.db import session as session_module
from app.db.session import Database
from app.errors import DatabaseUnavailable


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/test.db")
    with database.write() as session:
        session.execute(text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
        session.execute(text("CREATE TABLE children (parent INTEGER REFERENCES parents (id))"))
    yield database
    database.close()


def count(database: Database) -> int:
    with database.read() as session:
        return session.execute(text("SELECT count(*) FROM parents")).scalar_one()


def write_and_fail(database: Database, statement: str) -> None:
    with database.write() as session:
        session.execute(text(statement))
        raise ZeroDivisionError


def test_write_commits(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO parents VALUES (1)"))

    assert count(database) == 1


def test_a_snapshot_does_not_see_what_is_committed_meanwhile(database: Database) -> None:
    with database.snapshot() as session:
        before = session.execute(text("SELECT count(*) FROM parents")).scalar_one()
        with database.write() as other:
            other.execute(text("INSERT INTO parents VALUES (1)"))
        meanwhile = session.execute(text("SELECT count(*) FROM parents")).scalar_one()

    assert (before, meanwhile, count(database)) == (0, 0, 1)


def test_write_rolls_back_whole_when_the_block_raises(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(database, "INSERT INTO parents VALUES (1)")

    assert count(database) == 0


def test_tables_are_made_and_unmade_with_their_transaction(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(database, "CREATE TABLE strays (id INTEGER)")

    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'strays'")).scalar_one() == 0


def test_read_changes_nothing(database: Database) -> None:
    with database.read() as session:
        session.execute(text("INSERT INTO parents VALUES (1)"))

    assert count(database) == 0


def test_a_look_sees_what_was_written_and_changes_nothing(database: Database) -> None:
    with database.look() as connection:
        connection.execute(text("INSERT INTO parents VALUES (1)"))
    with database.write() as session:
        session.execute(text("INSERT INTO parents VALUES (2)"))
    with database.look() as connection:
        seen = connection.execute(text("SELECT id FROM parents")).scalars().all()

    assert seen == [2]


def test_foreign_keys_hold_on_sqlite(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(text("INSERT INTO children VALUES (7)"))


def test_write_takes_the_lock_before_its_first_statement(database: Database) -> None:
    begun = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: begun.append(args[2]))

    with database.write() as session:
        session.execute(text("SELECT 1"))

    assert begun[:2] == ["BEGIN IMMEDIATE", "SELECT 1"]


def test_readers_go_on_beside_a_writer(database: Database) -> None:
    with database.write() as session:
        session.execute(text("INSERT INTO parents VALUES (1)"))

        assert count(database) == 0


def test_a_writer_waits_for_a_lock(database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    has_waited = threading.Event()

    def release(_seconds: float) -> None:
        if not has_waited.is_set():
            has_waited.set()
            other.execute("COMMIT")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module.time, "sleep", release)
        with database.write() as session:
            session.execute(text("INSERT INTO parents VALUES (1)"))
    other.close()

    assert has_waited.is_set()
    assert count(database) == 1


def test_a_lock_that_stays_is_an_outage(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LOCK_WAIT_S", 0.05)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable), database.write():
        pytest.fail("the block was entered without the lock")
    other.close()

    with database.write() as session:
        session.execute(text("INSERT INTO parents VALUES (1)"))
    assert count(database) == 1


def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/test.db")

    for reading in (database.read, database.look):
        with pytest.raises(DatabaseUnavailable), reading() as source:
            source.execute(text("SELECT 1"))
    database.close()


def test_a_server_that_is_away_is_an_outage(tmp_path: Path) -> None:
    database = Database(f"postgresql+psycopg://nobody@/nothing?host={tmp_path}")

    with pytest.raises(DatabaseUnavailable), database.read() as session:
        session.execute(text("SELECT 1"))
    database.close()


def test_a_pool_without_a_free_connection_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "POOL_WAIT_S", 0.05)
    database = Database(f"sqlite:///{tmp_path}/test.db")
    held = [database.engine.connect() for _ in range(15)]

    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable), database.read() as session:
        session.execute(text("SELECT 1"))
    for connection in held:
        connection.close()
    database.close()

    assert time.monotonic() - began < session_module.LOCK_WAIT_S


def test_concurrent_writers_all_get_through(database: Database) -> None:
    def insert(number: int) -> None:
        with database.write() as session:
            session.execute(text("INSERT INTO parents VALUES (:number)"), {"number": number})

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count(database) == 12


def test_only_what_reads_much_leaves_the_hub_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[object] = []

    def run(function: Callable[..., object], *args: object) -> object:
        statements.append(args[0])
        return function(*args)

    monkeypatch.setattr(session_module, "off_hub", run)
    with database.read() as session:
        session.execute(text("SELECT 1"))
        much = session.execute(text("SELECT :number"), {"number": 7}, execution_options=session_module.READS_MUCH)

        assert much.scalar_one() == 7
    assert statements == ["SELECT ?"]
