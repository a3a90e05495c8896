"""Dumps show one moment, though others write."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.backup.database_dump import SqliteDump, dump_of
from deploy.backup.errors import BackupError
from model_store.model_ref import ModelRef
from tests.factories.saved_sites import Site


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Path]:
    """A database in which two tables always have equally many rows, while somebody writes."""
    path = tmp_path / "ledger.db"
    ready, stopping = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE debit (x)")
            connection.execute("CREATE TABLE credit (x)")
            while not stopping.is_set():
                connection.execute("BEGIN")
                for table in ("debit", "credit"):
                    connection.execute(f"INSERT INTO {table} VALUES (zeroblob(512))")
                connection.execute("COMMIT")
                ready.set()

    writer = threading.Thread(target=write)
    writer.start()
    ready.wait(10)
    yield path
    stopping.set()
    writer.join()


def test_a_copy_shows_one_moment_of_a_database_in_use(ledger: Path, tmp_path: Path) -> None:
    for number in range(5):
        copy = tmp_path / f"copy-{number}"
        SqliteDump(f"sqlite:///{ledger}").copy(copy)
        with closing(sqlite3.connect(copy)) as connection:
            debit, credit = (connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t in ("debit", "credit"))
        assert debit == credit != (0,)


def test_facts_are_those_of_the_copy(site: Site, tmp_path: Path) -> None:
    kept, gone = site.publish(), site.publish(b"others")
    site.delete(gone)

    facts = dump_of(site.settings.database_url).take(tmp_path / "copy")

    assert (facts.versions, facts.deleted) == ({kept}, {ModelRef("tiny", 2)})
    assert facts.revision is not None
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy"]


def test_a_copy_is_put_back_over_what_is_there(site: Site, tmp_path: Path) -> None:
    dump = dump_of(site.settings.database_url)
    dump.take(tmp_path / "copy")
    site.publish()
    site.close()

    dump.put_back(tmp_path / "copy")

    assert dump.take(tmp_path / "again").versions == frozenset()
    assert not list(site.settings.var_dir.glob("galley.db-*"))


def test_a_database_is_empty_until_it_has_a_table(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()

    assert dump_of(f"sqlite:///{tmp_path}/none.db").is_empty()
    assert not (tmp_path / "none.db").exists()
    assert dump_of(f"sqlite:///{tmp_path}/empty.db").is_empty()
    assert not dump_of(site.settings.database_url).is_empty()


@pytest.mark.parametrize("content", [None, b"no database" * 1000])
def test_what_is_no_database_is_not_saved(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "galley.db"
    if content:
        path.write_bytes(content)

    with pytest.raises(BackupError, match=str(path)):
        SqliteDump(f"sqlite:///{path}").take(tmp_path / "copy")
