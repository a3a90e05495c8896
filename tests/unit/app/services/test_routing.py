"""Which version answers, from the last known catalogue."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.repositories.routes import RouteFacts
from app.errors import DatabaseUnavailable, ModelNotFound, ModelUnloaded, VersionNotFound
from app.services.catalog import Catalog
from app.services.readied_aliases import Readiness
from app.services.route_table import Why
from app.services.routing import Router
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with
from tests.factories.routes import make_route
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


ROUTE = make_route(
    {"control": "default", "candidate": 2},
    weights={"control": 1, "candidate": 1},
    overrides=[{"client": "checkout", "variant": "candidate"}],
    revision=7,
)


def routed(catalog: Catalog, route: RouteFacts = ROUTE) -> Catalog:
    return {name: replace(model, route=route) for name, model in catalog.items()}


def test_a_route_chooses_when_no_version_is_asked_for(sql: FakeSql) -> None:
    sql.catalog = routed(sql.catalog)
    router = Router(sql.load)
    by_variant = {
        resolved.variant: resolved
        for resolved in (router.resolve("digits", subject=f"user-{number}") for number in range(50))
    }

    assert {name: resolved.ref.version for name, resolved in by_variant.items()} == {"control": 1, "candidate": 2}
    assert all((one.revision, one.why, one.is_dealt) == (7, Why.BUCKET, True) for one in by_variant.values())


def test_a_version_asked_for_is_not_routed(sql: FakeSql) -> None:
    sql.catalog = routed(sql.catalog)
    resolved = Router(sql.load).resolve("digits", "1", subject="user-1", client_id="checkout")

    assert (resolved.ref.version, resolved.variant, resolved.revision, resolved.why) == (1, None, None, Why.ASKED)


def test_the_client_is_the_subject_where_nobody_is_named(sql: FakeSql) -> None:
    sql.catalog = routed(sql.catalog)
    router = Router(sql.load)

    for client_id in map(str, range(20)):
        assert router.resolve("digits", client_id=client_id) == router.resolve("digits", subject=client_id)
    overridden = router.resolve("digits", subject="user-1", client_id="checkout")
    assert (overridden.variant, overridden.why, overridden.is_dealt) == ("candidate", Why.CLIENT, False)


def test_the_alias_that_was_asked_says_how_long_answers_are_kept(sql: FakeSql) -> None:
    model = replace(sql.catalog["digits"], cache_ttls={"default": 5, "next": 0})
    sql.catalog = {"digits": model}
    router = Router(sql.load)
    asked = {version: router.resolve("digits", version).cache_ttl_s for version in (None, "default", "next", "1", "2")}

    assert asked == {None: 5, "default": 5, "next": 0, "1": None, "2": None}


def test_a_variant_that_is_an_alias_keeps_as_long_as_it_says(sql: FakeSql) -> None:
    sql.catalog = routed({"digits": replace(sql.catalog["digits"], cache_ttls={"default": 5})})
    router = Router(sql.load)
    ttls = {
        resolved.variant: resolved.cache_ttl_s
        for resolved in (router.resolve("digits", subject=f"user-{number}") for number in range(50))
    }

    assert ttls == {"control": 5, "candidate": None}


def test_a_version_that_somebody_unloaded_says_so(sql: FakeSql) -> None:
    model = sql.catalog["digits"]
    model.versions[2] = replace(model.versions[2], is_unloaded=True)
    router = Router(sql.load)

    for asked in ("2", "next"):
        with pytest.raises(ModelUnloaded):
            router.resolve("digits", asked)
    assert router.find("digits", "next").ref.version == 2
    assert router.resolve("digits").ref.version == 1


def test_what_another_version_answers_for_is_asked_for(sql: FakeSql) -> None:
    model = sql.catalog["digits"]
    sql.catalog = {"digits": replace(model, aliases={"default": 2}, previous={"default": 1})}
    wanted: list[ModelRef] = []
    router = Router(
        sql.load, readiness=Readiness(is_ready=lambda ref: ref.version == 1, want=wanted.append), every_s=0.01
    )
    router.start()
    try:
        assert router.resolve("digits").ref.version == 1
        wait_until(lambda: wanted == [ModelRef("digits", 2)])
    finally:
        router.stop()


SPLITS = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 100)), min_size=2, max_size=5, unique=True)


@settings(max_examples=20, deadline=None)
@given(SPLITS, st.lists(st.text(max_size=8), min_size=5, max_size=5))
def test_while_routes_change_each_choice_is_that_of_one_of_them(
    splits: list[tuple[int, int]], subjects: list[str]
) -> None:
    # Version and variant differ from state to state, so that a mixture of two would show.
    states = [
        routed(
            catalog_with(2 * number + 1, 2 * number + 2, default=2 * number + 1),
            make_route(
                {f"a{number}": "default", f"b{number}": 2 * number + 2},
                weights={f"a{number}": a, f"b{number}": b},
                revision=number,
            ),
        )
        for number, (a, b) in enumerate(splits)
    ]
    allowed = {
        subject: {Router(lambda state=state: state).resolve("digits", subject=subject) for state in states}  # type: ignore[misc]
        for subject in subjects
    }
    sql = FakeSql(states[0])
    router = Router(sql.load)

    def change() -> None:
        for number in range(200):
            sql.catalog = states[number % len(states)]
            router.refresh()

    changing = threading.Thread(target=change)
    changing.start()
    while changing.is_alive():
        assert all(router.resolve("digits", subject=subject) in allowed[subject] for subject in subjects)
    changing.join()


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


def test_sql_is_read_seldom_while_changes_are_told(sql: FakeSql, following: Callable[[float], Router]) -> None:
    asked: list[bool] = []

    def is_told() -> bool:
        asked.append(is_connected)
        return is_connected

    is_connected = True
    router = following(0.01)
    router.trust(is_told)
    wait_until(lambda: len(asked) >= 2)
    reads, so_far = sql.reads, len(asked)
    wait_until(lambda: len(asked) >= so_far + 5)
    assert sql.reads == reads

    is_connected = False
    wait_until(lambda: sql.reads > reads)


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
