"""The flask commands do what the API does, and fail with a sentence."""

from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from app.factory import create_app
from app.web.extensions import services_of
from tests.factories.settings import make_settings
from tests.factories.web import WebWorker


@pytest.fixture
def runner(worker: WebWorker) -> FlaskCliRunner:
    return worker.app.test_cli_runner()


def lines_of(output: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def test_create_admin_prints_credentials_that_work(runner: FlaskCliRunner, worker: WebWorker) -> None:
    lines = lines_of(runner.invoke(args=["clients", "create-admin"]).output)

    issued = worker.services.tokens.issue(lines["GALLEY_CLIENT_ID"], lines["GALLEY_CLIENT_SECRET"])
    assert "admin" in issued.scope


def test_create_list_rotate_delete(runner: FlaskCliRunner, worker: WebWorker) -> None:
    made = runner.invoke(args=["clients", "create", "checkout", "--scope", "infer", "--model", "fraud*"])
    listed = runner.invoke(args=["clients", "list"])
    rotated = lines_of(runner.invoke(args=["clients", "rotate", "checkout"]).output)

    assert made.exit_code == 0
    assert listed.output == "checkout\tinfer\tfraud*\n"
    assert worker.services.tokens.authenticate("checkout", rotated["GALLEY_CLIENT_SECRET"])
    assert runner.invoke(args=["clients", "delete", "checkout"]).exit_code == 0
    assert runner.invoke(args=["clients", "list"]).output == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["delete", "nobody"], "There is no client 'nobody'."),
        (["rotate", "nobody"], "There is no client 'nobody'."),
        (["create", "checkout", "--scope", "root"], "scopes: Unknown scope 'root'"),
        (["create", "a b", "--scope", "infer"], "client_id: Use 1 to 64"),
    ],
)
def test_failures_are_a_sentence(runner: FlaskCliRunner, arguments: list[str], sentence: str) -> None:
    result = runner.invoke(args=["clients", *arguments])

    assert result.exit_code == 1
    assert sentence in result.output


def test_the_database_goes_down_and_up(runner: FlaskCliRunner) -> None:
    down = runner.invoke(args=["db", "downgrade", "base"])
    low = runner.invoke(args=["db", "current"])
    up = runner.invoke(args=["db", "upgrade"])
    high = runner.invoke(args=["db", "current"])

    assert [result.exit_code for result in (down, low, up, high)] == [0, 0, 0, 0]
    assert "at revision None" in low.output
    revision = high.output.split("revision ")[1].split(";")[0]
    assert high.output == f"The database is at revision {revision}; this code needs {revision}.\n"


def test_the_first_upgrade_makes_the_folder(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path / "new", run_dir=tmp_path))

    result = app.test_cli_runner().invoke(args=["db", "upgrade"])
    services_of(app).close()

    assert result.exit_code == 0, result.output
    assert "The database is at revision" in result.output
