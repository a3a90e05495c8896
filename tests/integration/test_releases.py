"""Releases on SQLite and on PostgreSQL: many at once, of one name, and exactly one of them becomes the default."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.migrate import upgrade
from app.db.repositories.aliases import AliasFacts, AliasRepository
from app.db.session import Database
from app.errors import DatabaseUnavailable, GalleyError
from app.services.aliases import AliasMove, AliasService
from app.services.catalog import desired_versions
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from model_store.model_ref import ModelRef
from tests.factories.versions import accept, make_draft, make_store
from tests.fakes.directory import FakeDirectory

RACERS = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/galley.db" if is_sqlite else request.getfixturevalue("postgres").make_database()
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def database(unmigrated: Database) -> Database:
    """A migrated database of each kind."""
    upgrade(unmigrated.engine.url.render_as_string(hide_password=False))
    return unmigrated


@pytest.fixture
def releases(database: Database, tmp_path: Path) -> ReleaseService:
    return ReleaseService(database, make_store(tmp_path))


def test_releases_at_once_all_stand_and_one_is_default(releases: ReleaseService, tmp_path: Path) -> None:
    together = threading.Barrier(RACERS, timeout=30)
    drafts = [make_draft(tmp_path, artifact=b"%d" % number) for number in range(RACERS)]
    failures: list[GalleyError] = []

    def wait(_folder: Path) -> None:
        together.wait()

    def run(number: int) -> None:
        try:
            releases.release(drafts[number], prove=wait, by="test", alias="latest", pin=number == 0)
        except GalleyError as err:
            failures.append(err)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    model = releases.catalog()["tiny"]
    assert failures == []
    assert set(model.versions) == set(range(1, RACERS + 1))
    assert model.aliases.keys() == {"default", "latest"}
    assert [facts.is_pinned for facts in model.versions.values()].count(True) == 1


def test_names_and_pins_move(releases: ReleaseService, database: Database, tmp_path: Path) -> None:
    refs = [releases.release(make_draft(tmp_path), prove=accept, by="test") for _ in range(3)]
    AliasService(database).set("tiny", "default", AliasMove(version="2", by="test"))
    ResidencyService(database, FakeDirectory()).pin(refs[2], by="test")

    assert [wanted.ref for wanted in desired_versions(releases.catalog())] == [ModelRef("tiny", 2), ModelRef("tiny", 3)]
    assert releases.adopt_store() == []
    assert releases.find("tiny").created_at.utcoffset() is not None


def test_catalogue_read_while_an_alias_moves_is_whole(
    releases: ReleaseService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases.release(make_draft(tmp_path), prove=accept, by="test")
    original, reads = AliasRepository.all, []

    def read(repository: AliasRepository, name: str | None = None) -> list[AliasFacts]:
        reads.append(name)
        if len(reads) == 1:
            releases.release(make_draft(tmp_path), prove=accept, by="test", alias="default")
            releases.release(make_draft(tmp_path, name="other"), prove=accept, by="test")
        return original(repository, name)

    monkeypatch.setattr(AliasRepository, "all", read)
    catalog = releases.catalog()

    assert catalog["tiny"].resolve().ref.version in {1, 2}
    assert all(set(model.aliases.values()) <= set(model.versions) for model in catalog.values())


def test_database_without_tables_is_unavailable(unmigrated: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        ReleaseService(unmigrated, make_store(tmp_path)).catalog()
