"""Versions and aliases keep what they were given, and point only at what is there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.db.repositories.aliases import AliasRepository
from app.db.repositories.models import ModelRepository, VersionFacts
from app.db.repositories.routes import RouteRepository
from app.db.session import Database
from app.errors import VersionNotFound
from model_store.model_ref import ModelRef
from tests.factories.routes import make_route

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE = ModelRef("tiny", 1)
TWO = ModelRef("tiny", 2)


@pytest.fixture
def repository(database: Database) -> Iterator[ModelRepository]:
    with database.write() as session:
        yield ModelRepository(session)


def facts(ref: ModelRef = ONE, **changes: Any) -> VersionFacts:
    fields: dict[str, Any] = {
        "ref": ref,
        "digest": "0" * 64,
        "task": "image-classification",
        "execution": "online",
        "size_bytes": 7,
        "is_pinned": False,
        "created_at": NOW,
        "created_by": "test",
    }
    return VersionFacts(**{**fields, **changes})


def test_versions_come_back_in_order(repository: ModelRepository) -> None:
    for ref in (TWO, ModelRef("other", 1), ONE):
        repository.add_version(facts(ref))

    assert [str(found.ref) for found in repository.versions()] == ["other/1", "tiny/1", "tiny/2"]
    assert repository.versions("tiny") == [facts(ONE), facts(TWO)]


def test_what_is_committed_is_read_by_others(database: Database) -> None:
    with database.write() as session:
        ModelRepository(session).add_version(facts())

    with database.read() as session:
        assert ModelRepository(session).versions() == [facts()]


def test_adding_again_overwrites(repository: ModelRepository) -> None:
    repository.add_version(facts())
    repository.add_version(facts(digest="1" * 64))

    assert repository.versions() == [facts(digest="1" * 64)]


def test_adding_again_keeps_what_is_there_if_told(repository: ModelRepository) -> None:
    repository.add_version(facts(is_pinned=True))
    repository.add_version(facts(digest="1" * 64), overwrite=False)

    assert repository.versions() == [facts(is_pinned=True)]


def test_pins_are_kept(repository: ModelRepository) -> None:
    repository.add_version(facts(ONE))
    repository.add_version(facts(TWO))
    repository.set_pinned(TWO, True)
    assert [found.is_pinned for found in repository.versions()] == [False, True]

    repository.set_pinned(TWO, False)
    assert [found.is_pinned for found in repository.versions()] == [False, False]


def test_a_version_that_is_not_there_cannot_be_pinned(repository: ModelRepository) -> None:
    with pytest.raises(VersionNotFound):
        repository.set_pinned(ONE, True)


def test_what_points_at_a_version_is_named(database: Database) -> None:
    with database.write() as session:
        repository = ModelRepository(session)
        for ref in (ONE, TWO):
            repository.add_version(facts(ref))
        AliasRepository(session).claim(ONE, "stable", by="test", at=NOW)
        RouteRepository(session).put(make_route({"control": 1, "new": "stable"}))
        repository.set_pinned(ONE, True)

        repository.lock("tiny")
        assert repository.uses(ONE) == [
            "the alias 'stable' points at it",
            "the model's route names it",
            "it is pinned",
        ]
        assert repository.uses(TWO) == []


def test_whether_answers_are_kept_comes_back(repository: ModelRepository) -> None:
    changed = facts(TWO, is_cached=False, is_cached_per_client=True)
    for each in (facts(ONE), changed):
        repository.add_version(each)

    assert repository.versions("tiny") == [facts(ONE, is_cached=True, is_cached_per_client=False), changed]
