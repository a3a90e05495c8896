"""Aliases move, and every move is kept."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.db.repositories.aliases import AliasChange, AliasRepository
from app.db.repositories.models import ModelRepository
from app.db.session import Database
from app.errors import AliasNotFound
from model_store.model_ref import ModelRef
from tests.factories.catalog import make_facts

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE, TWO = ModelRef("digits", 1), ModelRef("digits", 2)


@pytest.fixture
def aliases(database: Database) -> Iterator[AliasRepository]:
    with database.write() as session:
        for version in (1, 2):
            ModelRepository(session).add_version(make_facts(version))
        yield AliasRepository(session)


def change(before: int | None, after: int | None, alias: str = "stable") -> AliasChange:
    return AliasChange(
        model_name="digits", alias=alias, from_version=before, to_version=after, at=NOW, by="test", why="Because."
    )


def test_an_alias_is_claimed_once_and_moved_after(aliases: AliasRepository) -> None:
    assert aliases.claim(ONE, "stable", by="a", at=NOW)
    assert not aliases.claim(TWO, "stable", by="b", at=NOW)
    assert aliases.move(TWO, "stable", by="c", at=NOW) == 1

    found = aliases.find("digits", "stable")
    assert found is not None
    assert (found.version, found.previous_version, found.updated_by, found.updated_at) == (2, 1, "c", NOW)
    assert aliases.all("digits") == aliases.all() == [found]
    assert aliases.all("other") == []


def test_what_is_not_there_is_neither_moved_nor_deleted(aliases: AliasRepository) -> None:
    with pytest.raises(AliasNotFound):
        aliases.move(ONE, "stable", by="test", at=NOW)
    with pytest.raises(AliasNotFound):
        aliases.delete("digits", "stable")


def test_a_deleted_alias_is_gone(aliases: AliasRepository) -> None:
    aliases.claim(ONE, "stable", by="test", at=NOW)
    aliases.delete("digits", "stable")

    assert aliases.find("digits", "stable") is None


def test_the_history_is_the_newest_first_and_of_one_alias(aliases: AliasRepository) -> None:
    moves = [change(None, 1), change(1, 2), change(2, None)]
    for move in (*moves, change(None, 2, alias="other")):
        aliases.record(move)

    assert aliases.history("digits", "stable") == moves[::-1]
    assert aliases.history("digits", "stable", offset=1, limit=1) == [moves[1]]
    assert (aliases.count_history("digits", "stable"), aliases.count_history("digits", "gone")) == (3, 0)


def test_how_long_answers_are_kept_is_said_and_taken_back(aliases: AliasRepository) -> None:
    aliases.claim(ONE, "stable", by="a", at=NOW)
    befores = [aliases.set_cache_ttl("digits", "stable", ttl_s) for ttl_s in (30, 0, None)]
    aliases.set_cache_ttl("digits", "stable", 7)
    aliases.move(TWO, "stable", by="b", at=NOW)
    found = aliases.find("digits", "stable")

    assert befores == [None, 30, 0]
    assert found is not None
    assert (found.version, found.cache_ttl_s) == (2, 7)
    with pytest.raises(AliasNotFound):
        aliases.set_cache_ttl("digits", "gone", 1)
