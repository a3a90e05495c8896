"""An alias moves only to what is there, and all that was done to it can be told."""

from pathlib import Path

import pytest

from app.db.repositories.routes import RouteRepository
from app.db.session import Database
from app.errors import (
    AliasInUse,
    AliasMoved,
    AliasNotFound,
    InvalidFields,
    InvalidName,
    ModelNotFound,
    NotFoundError,
    VersionNotFound,
)
from app.services.aliases import LONGEST_CACHE_TTL_S, AliasMove, AliasService
from app.services.audit import AuditLog
from app.services.releases import ReleaseService
from tests.factories.routes import make_route
from tests.factories.versions import accept, make_draft, make_store

pytestmark = pytest.mark.usefixtures("two_versions")


@pytest.fixture
def aliases(database: Database, announced: list[None]) -> AliasService:
    return AliasService(database, notify=lambda: announced.append(None))


def move(version: str, *, why: str = "", expected: int | None = None) -> AliasMove:
    return AliasMove(version=version, by="bot", why=why, expected=expected)


def steps(aliases: AliasService, alias: str) -> list[tuple[int | None, int | None, str, str]]:
    return [(step.from_version, step.to_version, step.by, step.why) for step in aliases.history("tiny", alias)]


def test_an_alias_is_made_and_moved(aliases: AliasService, announced: list[None]) -> None:
    aliases.set("tiny", "next", move("default", why="a first look"))
    facts = aliases.set("tiny", "next", move("2", why="better"))

    assert (facts.version, facts.previous_version, facts.updated_by) == (2, 1, "bot")
    assert aliases.get("tiny", "next") == facts
    assert [one.alias for one in aliases.all("tiny")] == ["default", "next"]
    assert steps(aliases, "next") == [(1, 2, "bot", "better"), (None, 1, "bot", "a first look")]
    assert len(announced) == 2


def test_each_move_is_in_the_audit_log(aliases: AliasService, database: Database) -> None:
    aliases.set("tiny", "next", move("2", why="better"))
    aliases.delete("tiny", "next", by="bot")
    deleted, made = AuditLog(database).entries(limit=2)

    assert (made.action, made.target, made.actor) == ("alias.set", "tiny/aliases/next", "bot")
    assert made.details == {"from": None, "to": 2, "why": "better"}
    assert (deleted.action, deleted.details["from"], deleted.details["to"]) == ("alias.delete", 2, None)


def test_pointing_where_it_points_already_changes_nothing(aliases: AliasService, database: Database) -> None:
    aliases.set("tiny", "default", move("2"))
    before, entries = aliases.get("tiny", "default"), AuditLog(database).count()
    aliases.set("tiny", "default", move("2", why="again"))

    assert aliases.get("tiny", "default") == before
    assert AuditLog(database).count() == entries


@pytest.mark.parametrize(
    ("name", "version"), [("tiny", "3"), ("tiny", "gone"), ("tiny", "02"), ("gone", "1"), ("\0", "1")]
)
def test_an_alias_of_what_is_not_there_is_refused(aliases: AliasService, name: str, version: str) -> None:
    with pytest.raises(ModelNotFound if name != "tiny" else VersionNotFound):
        aliases.set(name, "next", move(version))

    assert [facts.alias for facts in aliases.all("tiny")] == ["default"]


def test_what_no_version_may_be_called_is_refused(aliases: AliasService) -> None:
    with pytest.raises(InvalidName):
        aliases.set("tiny", "2", move("1"))
    with pytest.raises(InvalidFields):
        move("1", why="x" * 513)


def test_a_move_can_expect_where_the_alias_points(aliases: AliasService) -> None:
    aliases.set("tiny", "default", move("2", expected=1))

    with pytest.raises(AliasMoved, match="points at version 2"):
        aliases.set("tiny", "default", move("1", expected=1))
    with pytest.raises(AliasMoved, match="does not exist"):
        aliases.set("tiny", "next", move("1", expected=1))
    assert aliases.get("tiny", "default").version == 2


def test_a_deleted_alias_keeps_its_history(aliases: AliasService) -> None:
    aliases.set("tiny", "next", move("2"))
    aliases.delete("tiny", "next", by="bot", why="done")

    with pytest.raises(AliasNotFound):
        aliases.get("tiny", "next")
    assert steps(aliases, "next") == [(2, None, "bot", "done"), (None, 2, "bot", "")]
    assert aliases.count_history("tiny", "next") == 2


def test_default_stays_while_there_are_versions_to_choose_from(aliases: AliasService) -> None:
    with pytest.raises(AliasInUse, match="callers who name no version"):
        aliases.delete("tiny", "default", by="bot")

    assert aliases.get("tiny", "default").version == 1


def test_default_goes_with_the_last_version(tmp_path: Path, database: Database, aliases: AliasService) -> None:
    ReleaseService(database, make_store(tmp_path)).release(make_draft(tmp_path, name="solo"), prove=accept, by="test")
    aliases.delete("solo", "default", by="bot")

    assert aliases.all("solo") == []


def test_an_alias_that_the_route_names_stays(aliases: AliasService, database: Database) -> None:
    aliases.set("tiny", "next", move("2"))
    with database.write() as session:
        RouteRepository(session).put(make_route({"a": 1, "b": "next"}))

    with pytest.raises(AliasInUse, match="the model's route names it"):
        aliases.delete("tiny", "next", by="bot")


@pytest.mark.parametrize(("name", "alias"), [("tiny", "gone"), ("gone", "default"), ("tiny", "\0"), ("\0", "a")])
def test_what_never_was_is_not_found(aliases: AliasService, name: str, alias: str) -> None:
    with pytest.raises(NotFoundError):
        aliases.get(name, alias)
    with pytest.raises(NotFoundError):
        aliases.delete(name, alias, by="bot")
    with pytest.raises(AliasNotFound):
        aliases.count_history(name, alias)


def ttl_move(cache_ttl_s: int | None, why: str = "") -> AliasMove:
    return AliasMove(version="default", by="bot", why=why, cache_ttl_s=cache_ttl_s)


def test_how_long_answers_are_kept_stays_until_somebody_says_otherwise(
    aliases: AliasService, announced: list[None]
) -> None:
    first = aliases.set("tiny", "default", ttl_move(30))
    moved = aliases.set("tiny", "default", move("2"))
    back = aliases.set("tiny", "default", ttl_move(None))

    assert [facts.cache_ttl_s for facts in (first, moved, back)] == [30, 30, None]
    assert aliases.get("tiny", "default") == back
    assert steps(aliases, "default") == [(1, 2, "bot", ""), (None, 1, "test", "the first version of its name")]
    assert len(announced) == 3


def test_who_changed_how_long_answers_are_kept_is_in_the_audit_log(aliases: AliasService, database: Database) -> None:
    aliases.set("tiny", "default", ttl_move(30, "less load"))
    aliases.set("tiny", "default", ttl_move(30))
    (entry, *_) = AuditLog(database).entries(limit=1)

    assert (entry.action, entry.target, entry.actor) == ("alias.cache_ttl", "tiny/aliases/default", "bot")
    assert entry.details == {"from": None, "to": 30, "why": "less load"}
    assert len([one for one in AuditLog(database).entries(limit=99) if one.action == "alias.cache_ttl"]) == 1


@pytest.mark.parametrize("cache_ttl_s", [-1, LONGEST_CACHE_TTL_S + 1])
def test_a_time_that_is_none_is_refused(cache_ttl_s: int) -> None:
    with pytest.raises(InvalidFields):
        ttl_move(cache_ttl_s)
