"""Each revision goes up and down on SQLite and on PostgreSQL, and leads to the tables of the code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from app.db import migrate
from app.db.schema import METADATA
from app.db.session import Database

REVISIONS = [script.revision for script in reversed(list(migrate._scripts().walk_revisions()))]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/galley.db"

    made: str = request.getfixturevalue("postgres").make_database()
    return made


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


def schema_of(engine: Engine) -> dict[str, Any]:
    """Return all tables with their columns, keys and indexes, in a form that compares."""
    looked = inspect(engine)
    return {
        table: {
            "columns": [(one["name"], str(one["type"]), one["nullable"]) for one in looked.get_columns(table)],
            "primary": looked.get_pk_constraint(table),
            "foreign": looked.get_foreign_keys(table),
            "unique": looked.get_unique_constraints(table),
            "indexes": [_index(one) for one in looked.get_indexes(table)],
        }
        for table in looked.get_table_names()
        if table != "alembic_version"
    }


def _index(facts: ReflectedIndex) -> tuple[Any, ...]:
    conditions = {name: str(value) for name, value in facts.get("dialect_options", {}).items()}
    return facts["name"], facts["column_names"], facts["unique"], conditions


def test_the_newest_revision_has_the_tables_of_the_code(url: str, engine: Engine) -> None:
    migrate.upgrade(url)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_revision_goes_down_to_what_was_before(url: str, engine: Engine, revision: str) -> None:
    before = REVISIONS[: REVISIONS.index(revision)]
    if before:
        migrate.upgrade(url, before[-1])
    was = schema_of(engine)

    migrate.upgrade(url, revision)
    now = schema_of(engine)
    migrate.downgrade(url, "-1")

    assert schema_of(engine) == was
    assert now != was


def test_all_the_way_down_and_up_again(url: str, engine: Engine) -> None:
    migrate.upgrade(url)
    first = schema_of(engine)

    migrate.downgrade(url, "base")
    assert schema_of(engine) == {}

    migrate.upgrade(url)
    assert schema_of(engine) == first


def test_jobs_over_rows_go_with_what_knew_them(url: str, engine: Engine) -> None:
    migrate.upgrade(url, "0006")
    columns = "id, kind, state, client_id, model_name, parameters, done, failed, stage, request_id, attempt, created_at"
    with engine.begin() as connection:
        for kind, queue in (("verification", ""), ("tensor", "batch")):
            values = f"'{kind}', '{kind}', 'queued', 'ann', 'churn', '{{}}', 0, 0, '', 'r', 0, '2026-01-31 12:00:00'"
            connection.execute(text(f"INSERT INTO jobs ({columns}, queue) VALUES ({values}, '{queue}')"))

    migrate.downgrade(url, "-1")

    with engine.connect() as connection:
        assert connection.scalars(text("SELECT id FROM jobs")).all() == ["verification"]


def test_readiness_sees_the_revision(url: str) -> None:
    database = Database(url)
    assert not migrate.is_migrated(database)

    migrate.upgrade(url)

    assert migrate.is_migrated(database)
    database.close()
