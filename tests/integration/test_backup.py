"""Backups of PostgreSQL: one moment of it while it is written to, and back into another database."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from app.services.clients import ClientService
from app.services.releases import ReleaseService
from deploy.backup.database_dump import PostgresDump
from deploy.backup.errors import BackupError
from deploy.backup.making import make_backup
from deploy.backup.postgres_programs import replace_database
from deploy.backup.restoring import restore_backup
from model_store.reader import open_store
from tests.factories.postgres_server import PostgresServer
from tests.factories.saved_sites import NOW, Site, make_site, open_site

pytestmark = pytest.mark.long
# A check that asks another table, by a name without its schema: a dump brings it back without a path to search.
HARD_TO_RESTORE = (
    "CREATE TABLE most (x int)",
    "INSERT INTO most VALUES (9)",
    "CREATE FUNCTION fits(int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 <= (SELECT max(x) FROM most)'",
    "CREATE TABLE zones (x int CHECK (fits(x)))",
    "INSERT INTO zones VALUES (1)",
)


@pytest.fixture
def site(postgres: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    site = make_site(tmp_path / "site", database_url=postgres.make_database())
    yield site
    site.close()


@pytest.fixture
def writing(site: Site) -> Iterator[None]:
    """Somebody who makes clients all the time; each is one transaction over two tables."""
    stopping, has_begun = threading.Event(), threading.Event()

    def write() -> None:
        while not stopping.is_set():
            site.add_client()
            has_begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    has_begun.wait(30)
    yield
    stopping.set()
    writer.join()


def counts(site: Site) -> dict[str, int]:
    with site.database.read() as session:
        tables = ("clients", "client_secrets", "audit_entries")
        return {table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables}


@pytest.mark.usefixtures("writing")
def test_one_moment_comes_back_to_an_empty_database(site: Site, postgres: PostgresServer, tmp_path: Path) -> None:
    ref = site.publish()
    site.move("production", ref)
    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)
    settings = replace(
        site.settings,
        database_url=postgres.make_database(),
        var_dir=tmp_path / "new",
        store_url=str(tmp_path / "new" / "store"),
        jobs_url=str(tmp_path / "new" / "jobs"),
    )

    restore_backup(backup.folder, settings)

    with closing(open_site(settings)) as new:
        found = counts(new)
        assert found["clients"] == found["client_secrets"] > 0
        assert ReleaseService(new.database, new.store).find("tiny", "production").ref == ref
    with pytest.raises(BackupError, match="the database, the store"):
        restore_backup(backup.folder, settings)


def test_force_lets_go_of_what_is_there(site: Site, tmp_path: Path) -> None:
    site.publish()
    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)
    site.add_client()
    with site.database.write() as session:
        session.execute(text("CREATE TABLE of_a_later_schema (x int)"))
    site.close()

    restore_backup(backup.folder, site.settings, is_forced=True)

    assert ClientService(site.settings, site.database).count() == 0
    with site.database.read() as session:
        assert session.execute(text("SELECT to_regclass('of_a_later_schema')")).scalar_one() is None


def test_the_audit_log_still_keeps_itself_from_being_changed(site: Site, tmp_path: Path) -> None:
    site.add_client()
    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)
    site.close()
    restore_backup(backup.folder, site.settings, is_forced=True)

    with pytest.raises(Exception, match="audit"), site.database.write() as session:
        session.execute(text("DELETE FROM audit_entries"))


def test_nothing_is_restored_while_others_are_connected(site: Site, tmp_path: Path) -> None:
    site.publish()
    backup = make_backup(site.settings, tmp_path / "backups", now=NOW)
    settings = replace(site.settings, store_url=str(tmp_path / "new-store"))

    with site.database.read() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(BackupError, match=r"connections are open to the database \(1\)"):
            restore_backup(backup.folder, settings, is_forced=True)

    assert open_store(settings.store_url, tmp_path / "cache").refs() == []


def test_without_a_dump_that_can_be_read_nothing_is_emptied(site: Site, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"none")

    with pytest.raises(BackupError, match="pg_restore failed"):
        PostgresDump(site.settings.database_url).check_free(tmp_path / "dump")


def test_a_dump_that_ends_in_the_middle_changes_nothing(site: Site, tmp_path: Path) -> None:
    with site.database.write() as session:
        session.execute(text("CREATE TABLE noise AS SELECT md5(x::text) FROM generate_series(1, 5000) AS x"))
    dump = PostgresDump(site.settings.database_url)
    dump.take(tmp_path / "dump")
    site.add_client()
    found = counts(site)
    site.close()
    whole = (tmp_path / "dump").read_bytes()
    # Behind what is in it, and in the middle of the rows.
    (tmp_path / "dump").write_bytes(whole[: len(whole) // 2])
    dump.check_free(tmp_path / "dump")

    with pytest.raises(BackupError, match="pg_restore failed, and nothing was changed"):
        dump.put_back(tmp_path / "dump")

    assert counts(site) == found


def test_a_dump_that_does_not_fit_changes_nothing(site: Site, tmp_path: Path) -> None:
    dump = PostgresDump(site.settings.database_url)
    with site.database.write() as session:
        for statement in HARD_TO_RESTORE:
            session.execute(text(statement))
    site.close()
    dump.take(tmp_path / "dump")
    site.add_client()
    found = counts(site)
    site.close()

    with pytest.raises(
        BackupError, match=r'psql failed, and nothing was changed: .*ERROR: +relation "most" does not exist'
    ):
        dump.put_back(tmp_path / "dump")

    assert counts(site) == found


def test_an_address_that_nobody_answers_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://galley:hunter2hunter2@/galley?host={tmp_path}"

    (tmp_path / "dump").touch()

    with pytest.raises(BackupError) as error:
        replace_database(url, tmp_path / "dump")
    assert "hunter2" not in str(error.value)
