"""Changes of aliases and routes made at once, on SQLite and on PostgreSQL: one after the other, none lost, all told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.migrate import upgrade
from app.db.repositories.audit import AuditFilter
from app.db.repositories.jobs import JobFacts
from app.db.session import Database
from app.errors import AliasMoved, VersionExists, VersionInUse, VersionNotFound
from app.services.aliases import AliasMove, AliasService
from app.services.audit import AuditLog
from app.services.jobs import VERIFICATION, JobDraft, JobService
from app.services.releases import ReleaseService
from app.services.retention import RetentionService
from app.services.route_draft import RouteDraft, Variant
from app.services.routes import RouteService
from model_store.model_ref import ModelRef
from tests.factories.versions import accept, make_draft, make_store

CHANGERS = 4
CHANGES = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of each kind that holds tiny/1, the default, to tiny/4."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/galley.db" if is_sqlite else request.getfixturevalue("postgres").make_database()
    upgrade(url)
    database = Database(url)
    releases = ReleaseService(database, make_store(tmp_path))
    for _ in range(CHANGERS):
        releases.release(make_draft(tmp_path), prove=accept, by="test")
    yield database
    database.close()


def at_once(change: Callable[[int], object]) -> None:
    """Let CHANGERS threads make CHANGES changes each; `change` gets the number of its thread, from 1.

    One that fails fails the test: pytest makes errors of threads' last words.
    """

    def run(number: int) -> None:
        for _ in range(CHANGES):
            change(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, CHANGERS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_number_is_given_to_one_of_many_publishers(database: Database) -> None:
    jobs = JobService(database, lambda _task, _job_id: None)
    accepted: list[JobFacts] = []

    def publish(_number: int) -> None:
        with suppress(VersionExists):
            draft = JobDraft(kind=VERIFICATION, client_id="bot", model_name="tiny", version=9)
            accepted.append(jobs.create(draft))

    at_once(publish)

    assert len(accepted) == 1


@pytest.mark.parametrize("alias", ["default", "next"])
def test_the_history_of_an_alias_has_no_gap(database: Database, alias: str) -> None:
    aliases = AliasService(database)
    at_once(lambda number: aliases.set("tiny", alias, AliasMove(version=str(number), by=f"t{number}")))

    steps = aliases.history("tiny", alias)[::-1]
    assert [step.from_version for step in steps] == [None, *(step.to_version for step in steps[:-1])]
    facts = aliases.get("tiny", alias)
    assert (facts.version, facts.previous_version) == (steps[-1].to_version, steps[-1].from_version)
    assert AuditLog(database).count(AuditFilter(target_prefix=f"tiny/aliases/{alias}")) == len(steps)


def test_of_those_who_expect_the_same_one_moves_it(database: Database) -> None:
    aliases, outcomes = AliasService(database), []

    def move(number: int) -> None:
        try:
            aliases.set("tiny", "default", AliasMove(version=str(number), by="test", expected=1))
        except AliasMoved:
            return
        outcomes.append(number)

    at_once(move)
    # Version 1 expects what it sets, and may do so any number of times before another one wins.
    assert len([number for number in outcomes if number != 1]) == 1


def test_each_change_of_a_route_has_a_revision_of_its_own(database: Database) -> None:
    routes, revisions = RouteService(database), []
    weights = iter(range(1, CHANGERS * CHANGES + 1))

    def change(number: int) -> None:
        variants = [Variant(name="a", version=1, weight=1), Variant(name="b", version=number, weight=next(weights))]
        revisions.append(routes.put("tiny", RouteDraft(variants=variants), by="test").revision)

    at_once(change)
    assert sorted(revisions) == list(range(1, CHANGERS * CHANGES + 1))
    assert routes.get("tiny").revision == CHANGERS * CHANGES


def test_a_version_is_named_or_deleted_and_never_both(database: Database, tmp_path: Path) -> None:
    aliases, retention = AliasService(database), RetentionService(database, make_store(tmp_path))
    failures: list[str] = []

    def name(version: int) -> None:
        try:
            aliases.set("tiny", f"name-{version}", AliasMove(version=str(version), by="test"))
        except VersionNotFound as err:
            failures.append(err.code)

    def delete(version: int) -> None:
        try:
            retention.delete(ModelRef("tiny", version), by="test")
        except VersionInUse as err:
            failures.append(err.code)

    rivals = [threading.Thread(target=rival, args=(version,)) for version in (2, 3, 4) for rival in (name, delete)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()

    model = ReleaseService(database, make_store(tmp_path)).catalog()["tiny"]
    assert len(failures) == 3
    assert set(model.aliases.values()) == set(model.versions)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entries SET actor = 'nobody'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"],
)
def test_the_audit_log_only_grows(database: Database, statement: str) -> None:
    before = AuditLog(database).entries()
    # SQLite has no TRUNCATE: it is a syntax error there, and leaves as much.
    with pytest.raises(DBAPIError), database.engine.begin() as connection:
        connection.execute(text(statement))

    assert AuditLog(database).entries() == before
    assert before
