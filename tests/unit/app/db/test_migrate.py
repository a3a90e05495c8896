"""Schemas go up whole or not at all, one process at a time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from app.db import migrate
from app.db.session import Database
from app.errors import DatabaseUnavailable


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def test_an_empty_database_is_not_migrated(database: Database) -> None:
    assert migrate.current_revision(database) is None
    assert not migrate.is_migrated(database)


def test_upgrade_reaches_the_newest_revision_and_stays(url: str, database: Database) -> None:
    migrate.upgrade(url)
    migrate.upgrade(url)

    assert migrate.current_revision(database) == migrate.newest_revision()
    assert migrate.is_migrated(database)


def test_an_upgrade_that_fails_leaves_nothing(url: str, database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE aliases (id INTEGER)"))

    with pytest.raises(Exception, match="aliases"):
        migrate.upgrade(url)

    assert set(inspect(database.engine).get_table_names()) <= {"aliases"}


def test_processes_that_upgrade_at_once_do_it_once(url: str, database: Database) -> None:
    threads = [threading.Thread(target=migrate.upgrade, args=(url,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert migrate.is_migrated(database)


def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        migrate.upgrade(f"sqlite:///{tmp_path}/missing/test.db")


def test_a_drafted_revision_holds_what_the_tables_lack(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (tmp_path / "migrations" / name).write_text((migrate.MIGRATIONS / name).read_text())
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path / "migrations")

    draft = migrate.draft_revision(url, "All tables").read_text()

    assert "revision = '0001'" in draft
    assert "'revoked_tokens'" in draft
    assert "sa.DateTime(timezone=True)" in draft


def test_revisions_of_later_code_are_unknown() -> None:
    newest = migrate.newest_revision()

    assert newest is not None
    assert migrate.knows(newest)
    assert migrate.knows("0001")
    assert not migrate.knows("9999")
