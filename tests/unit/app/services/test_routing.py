"""Which version answers, from the last known catalogue."""

from collections.abc import Callable, Iterator

import pytest

from app.errors import DatabaseUnavailable, ModelNotFound, VersionNotFound
from app.services.catalog import Catalog
from app.services.routing import Router
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with
from tests.factories.waiting import wait_until


class FakeSql:
    """A catalogue that tests change, and take away."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.is_away = False
        self.reads = 0

    def load(self) -> Catalog:
        self.reads += 1
        if self.is_away:
            raise DatabaseUnavailable("Away.")

        return self.catalog


@pytest.fixture
def sql() -> FakeSql:
    return FakeSql(catalog_with(1, 2, default=1, next=2))


@pytest.fixture
def following(sql: FakeSql) -> Iterator[Callable[[float], Router]]:
    started = []

    def follow(every_s: float) -> Router:
        router = Router(sql.load, every_s=every_s)
        router.start()
        started.append(router)
        return router

    yield follow
    for router in started:
        router.stop()


@pytest.mark.parametrize(("asked", "version"), [(None, 1), ("default", 1), ("next", 2), ("2", 2), ("1", 1)])
def test_number_and_alias_lead_to_a_version(sql: FakeSql, asked: str | None, version: int) -> None:
    resolved = Router(sql.load).resolve("digits", asked)

    assert resolved.ref == ModelRef("digits", version)
    assert resolved.facts.ref == resolved.ref
    assert resolved.variant is None


@pytest.mark.parametrize("asked", ["0", "3", "-1", "1.0", "latest", "²", "9" * 5000])
def test_unknown_versions_are_not_found(sql: FakeSql, asked: str) -> None:
    with pytest.raises(VersionNotFound):
        Router(sql.load).resolve("digits", asked)


def test_unknown_model_is_not_found(sql: FakeSql) -> None:
    with pytest.raises(ModelNotFound):
        Router(sql.load).resolve("flowers")


def test_requests_do_not_read_sql(sql: FakeSql) -> None:
    router = Router(sql.load)

    for _ in range(10):
        router.resolve("digits")

    assert sql.reads == 1


def test_change_is_seen_when_woken(sql: FakeSql, following: Callable[[float], Router]) -> None:
    router = following(3600.0)
    wait_until(lambda: sql.reads)
    sql.catalog = catalog_with(1, 2, default=2)

    router.wake(b"")

    wait_until(lambda: router.resolve("digits").ref.version == 2)


def test_change_is_seen_without_being_woken(sql: FakeSql, following: Callable[[float], Router]) -> None:
    router = following(0.01)
    sql.catalog = catalog_with(1, 2, default=2)

    wait_until(lambda: router.resolve("digits").ref.version == 2)


def test_last_known_catalogue_outlives_sql(
    sql: FakeSql, following: Callable[[float], Router], caplog: pytest.LogCaptureFixture
) -> None:
    router = following(0.01)
    wait_until(lambda: router.catalog)
    sql.is_away = True
    reads = sql.reads
    wait_until(lambda: sql.reads >= reads + 3)

    assert router.resolve("digits").ref.version == 1
    assert len([record for record in caplog.records if "last known" in record.message]) == 1


def test_sql_away_from_the_start_is_told(sql: FakeSql) -> None:
    sql.is_away = True

    with pytest.raises(DatabaseUnavailable):
        Router(sql.load).resolve("digits")
