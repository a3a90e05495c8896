"""The database is looked at, never made or migrated."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.db import migrate
from deploy.doctor.checks import database
from deploy.doctor.finding import Finding, Verdict
from tests.factories.database import make_database
from tests.factories.doctor import assert_sound, make_case, the_one


def found(folder: Path, **changes: Any) -> dict[str, Finding]:
    findings = list(database.database(make_case(folder, **changes)))
    for finding in findings:
        assert_sound(finding)
    return {finding.name: finding for finding in findings}


def file_of(folder: Path) -> Path:
    return make_case(folder).settings.var_dir / "galley.db"


def test_a_file_that_is_still_to_be_made_is_not_made(tmp_path: Path) -> None:
    assert found(tmp_path)["database"].verdict is Verdict.OK
    assert not file_of(tmp_path).exists()


@pytest.mark.parametrize(("environment", "verdict"), [("development", "ok"), ("production", "warning")])
def test_a_migrated_database_will_do(tmp_path: Path, environment: str, verdict: str) -> None:
    (tmp_path / "var").mkdir()
    make_database(tmp_path / "var").close()

    findings = found(tmp_path, environment=environment)
    assert {name: finding.verdict.value for name, finding in findings.items()} == {"database": verdict, "schema": "ok"}


@pytest.mark.parametrize(("is_running", "verdict"), [(False, Verdict.WARNING), (True, Verdict.ERROR)])
def test_a_database_without_tables_is_to_be_migrated(tmp_path: Path, is_running: bool, verdict: Verdict) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).touch()

    schema = found(tmp_path, is_running=is_running)["schema"]
    assert (schema.verdict, schema.mend) == (verdict, database.MIGRATE)
    assert "none" in schema.says


def test_a_database_of_newer_code_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    make_database(tmp_path / "var").close()
    with closing(sqlite3.connect(file_of(tmp_path))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    assert found(tmp_path)["schema"].verdict is Verdict.ERROR


def test_an_older_schema_is_known(tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir()
    migrate.upgrade(f"sqlite:///{file_of(tmp_path)}", "0001")

    assert found(tmp_path)["schema"].verdict is Verdict.WARNING


def test_a_server_that_is_away_is_an_error(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://galley:hush-hush@/galley?host={tmp_path}"

    finding = the_one(database.database(make_case(tmp_path, database_url=url)))
    assert finding.verdict is Verdict.ERROR
    assert "hush-hush" not in repr(finding)


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_bytes(b"not a database " * 100)

    finding = found(tmp_path)["database"]
    assert finding.verdict is Verdict.ERROR
    assert "file is not a database" in finding.says


@pytest.mark.parametrize(("skew_s", "verdict"), [(0.0, "ok"), (60.0, "warning"), (-60.0, "warning")])
def test_a_clock_that_is_off_is_told_of(skew_s: float, verdict: str) -> None:
    finding = database._clock(datetime.now(UTC) + timedelta(seconds=skew_s))

    assert_sound(finding)
    assert finding.verdict == verdict
