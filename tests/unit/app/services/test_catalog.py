"""The catalogue holds what SQL holds, and says what is named."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.db.repositories.aliases import AliasRepository
from app.db.repositories.models import ModelRepository
from app.db.repositories.routes import RouteRepository
from app.db.session import Database
from app.errors import ModelNotFound, RedisUnavailable, VersionNotFound
from app.infra.log_context import follow_request
from app.services.catalog import (
    CatalogModel,
    announce,
    cause_of,
    change_notice,
    desired_version,
    locked_model,
    read_catalog,
    read_model,
)
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with, make_facts
from tests.factories.database import make_database
from tests.factories.routes import make_route
from tests.factories.traces import SAMPLED, TRACE_ID

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Holds digits/1 to digits/3, alias `next` (2, before 1) and a route that names 3; and flowers/1."""
    database = make_database(tmp_path)
    with database.write() as session:
        for facts in (*(make_facts(version) for version in (1, 2, 3)), make_facts(1, "flowers")):
            ModelRepository(session).add_version(facts)
        AliasRepository(session).claim(ModelRef("digits", 1), "next", by="test", at=NOW)
        AliasRepository(session).move(ModelRef("digits", 2), "next", by="test", at=NOW)
        RouteRepository(session).put(make_route({"a": "next", "b": 3}, model_name="digits"))
    yield database
    database.close()


def test_a_model_has_its_versions_aliases_and_route(database: Database) -> None:
    with database.snapshot() as session:
        catalog = read_catalog(session)
        alone = read_model(session, "digits")

    assert set(catalog) == {"digits", "flowers"}
    assert catalog["digits"] == alone
    assert (alone.aliases, alone.previous, set(alone.versions)) == ({"next": 2}, {"next": 1}, {1, 2, 3})
    assert alone.route == make_route({"a": "next", "b": 3}, model_name="digits")
    assert alone.named == {2, 3}


@pytest.mark.parametrize("name", ["gone", "", "\0", "x" * 200])
def test_a_model_that_is_not_there_is_not_found(database: Database, name: str) -> None:
    with database.write() as session:
        with pytest.raises(ModelNotFound):
            read_model(session, name)
        with pytest.raises(ModelNotFound):
            locked_model(session, name)


@pytest.fixture
def model() -> CatalogModel:
    return catalog_with(1, 12, default=1, next=12, lost=3)["digits"]


@pytest.mark.parametrize(("asked", "version"), [(None, 1), ("", 1), ("next", 12), ("12", 12), ("1", 1)])
def test_numbers_and_aliases_lead_to_versions(model: CatalogModel, asked: str | None, version: int) -> None:
    assert model.resolve(asked).ref.version == version


@pytest.mark.parametrize("asked", ["2", "012", "+1", " 1", "１", "²", "9" * 5000, "gone", "lost"])
def test_nothing_else_does(model: CatalogModel, asked: str) -> None:
    with pytest.raises(VersionNotFound):
        model.resolve(asked)


def test_what_is_desired_is_what_sql_says_of_the_version() -> None:
    wanted = desired_version(make_facts(4))

    assert (wanted.ref, wanted.digest, wanted.instances, wanted.is_pinned) == (
        ModelRef("digits", 4),
        "0" * 64,
        1,
        False,
    )


def test_without_redis_a_change_stands_and_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RedisUnavailable("Redis does not answer; try again shortly.")

    with caplog.at_level(logging.WARNING):
        announce(fail)

    assert "nobody was told" in caplog.text


def test_a_notice_tells_by_which_request_the_catalog_changed() -> None:
    assert cause_of(change_notice()) == {}

    follow_request("r1", "")
    assert cause_of(change_notice()) == {"request_id": "r1"}

    follow_request("r2", SAMPLED)
    cause = cause_of(change_notice())
    assert (cause["request_id"], cause["trace_id"]) == ("r2", TRACE_ID)


@pytest.mark.parametrize("notice", [b"", b" ", "\u00fc".encode()[:1]])
def test_a_notice_of_somebody_else_is_no_fault(notice: bytes) -> None:
    assert "trace_id" not in cause_of(notice)
