"""The doctor as it is run: on a fresh clone, with settings that are wrong, and beside real servers."""

import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.run_dir import short_run_dir
from deploy.doctor.__main__ import diagnose
from tests.factories.nobody import as_nobody
from tests.factories.postgres_server import PostgresServer
from tests.factories.redis_server import running_redis
from tests.factories.stack import ROOT, free_port

UNITS = ROOT / "deploy" / "systemd"


def unit_environment(name: str) -> dict[str, str]:
    """Return what a unit sets."""
    lines = re.findall(r"^Environment=(.+)$", (UNITS / name).read_text(), re.MULTILINE)
    return dict(word.split("=", 1) for line in lines for word in line.split())


def run(folder: Path, **environment: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """Return the exit status, the findings by their names, and all that was said."""
    own = {name: os.environ[name] for name in ("PATH", "TMPDIR")}
    own |= {"VAR_DIR": str(folder / "var"), "PORT": str(free_port())}
    command = [sys.executable, "-m", "deploy.doctor", "--json"]
    result = subprocess.run(
        command, cwd=ROOT, env={**own, **environment}, check=False, capture_output=True, text=True, timeout=120
    )
    assert result.stderr == ""
    findings = json.loads(result.stdout)["findings"]
    return result.returncode, {finding["name"]: finding for finding in findings}, result.stdout


def test_a_fresh_clone_has_no_error_and_is_left_as_it_is(tmp_path: Path) -> None:
    status, findings, said = run(tmp_path)

    assert status == 0, said
    assert findings["settings"]["verdict"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_are_an_error_and_the_rest_is_told(tmp_path: Path) -> None:
    status, findings, _ = run(tmp_path, WEB_WORKERS="none", DATABASE_URL="nonsense")

    assert status == 1
    assert findings["settings"]["verdict"] == "error"
    assert all(name in findings["settings"]["says"] for name in ("WEB_WORKERS", "DATABASE_URL"))
    assert findings["python"]["verdict"] == "ok"


def test_a_file_of_settings_that_is_missing_is_an_error(tmp_path: Path) -> None:
    status, findings, _ = run(tmp_path, SETTINGS_FILE=str(tmp_path / "nowhere"))

    assert status == 1
    assert "SETTINGS_FILE" in findings["settings"]["says"]


def test_a_folder_with_settings_that_is_closed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tests run as root: as a user without rights."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        var_dir = Path(name, "var")
        var_dir.mkdir(mode=0o000)
        monkeypatch.setenv("VAR_DIR", str(var_dir))
        for variable in ("JWT_SECRET", "JWT_SECRET_FILE", "SETTINGS_FILE"):
            monkeypatch.delenv(variable, raising=False)
        with as_nobody():
            findings = {finding.name: finding for finding in diagnose()}

    assert findings["settings"].verdict == "error"
    assert f"{var_dir}/secrets/jwt_secret is closed to this user" in findings["settings"].says


@pytest.mark.long
def test_production_is_not_excused(tmp_path: Path) -> None:
    secret = os.urandom(32).hex()
    status, findings, said = run(
        tmp_path, ENVIRONMENT="production", JWT_SECRET=secret, HOST="0.0.0.0", CORS_ORIGINS="*"
    )

    assert status == 1
    assert (findings["tls"]["verdict"], findings["cors"]["verdict"]) == ("error", "error")
    assert secret not in said


@pytest.mark.long
def test_real_servers_are_asked(tmp_path: Path, postgres: PostgresServer) -> None:
    keeping = ("--appendonly", "yes")
    with running_redis(*keeping) as state, running_redis("--maxmemory", "64mb") as cache:
        urls = {"REDIS_URL": cache.url, "STATE_REDIS_URL": state.url, "DATABASE_URL": postgres.make_database()}
        status, findings, said = run(tmp_path, **urls)

    assert status == 0, said
    assert findings["database"]["says"].startswith("postgresql ")
    assert findings["database clock"]["verdict"] == "ok"
    assert findings["schema"]["verdict"] == "warning"
    assert findings["redis (STATE_REDIS_URL): persistence"]["verdict"] == "ok"
    assert findings["redis (STATE_REDIS_URL): clock"]["verdict"] == "ok"
    assert findings["redis (REDIS_URL): memory"]["verdict"] == "warning"


@pytest.mark.long
def test_beside_services_all_that_they_use_is_looked_at(tmp_path: Path) -> None:
    """With the environment that galley-doctor.service has in common with the parts, and its command."""
    var_dir, environment = tmp_path / "var", unit_environment("galley-.service.d/10-all.conf")
    (tmp_path / "galley.env").write_text(f"ENVIRONMENT=production\nJWT_SECRET={os.urandom(32).hex()}\n")
    database = var_dir / "galley.db"
    for folder in (var_dir, short_run_dir(var_dir)):
        folder.mkdir(parents=True)
    database.touch()
    with ExitStack() as parts:
        state, cache = (parts.enter_context(running_redis(*options)) for options in (("--appendonly", "yes"), ()))
        environment |= {"SETTINGS_FILE": str(tmp_path / "galley.env"), "VAR_DIR": str(var_dir)}
        assert environment["REDIS_URL"] != environment["STATE_REDIS_URL"]
        environment |= {"REDIS_URL": cache.url, "STATE_REDIS_URL": state.url, "DATABASE_URL": f"sqlite:///{database}"}
        lock = parts.enter_context((short_run_dir(var_dir) / "controller.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, findings, _ = run(tmp_path, **environment)

    assert status == 1
    assert all(findings[f"redis ({name})"]["verdict"] == "ok" for name in ("REDIS_URL", "STATE_REDIS_URL"))
    assert {findings[name]["verdict"] for name in ("schema", "port")} == {"error"}
    assert "-m deploy.doctor" in (UNITS / "galley-doctor.service").read_text()


@pytest.mark.long
def test_a_redis_that_forgets_state_is_an_error(tmp_path: Path) -> None:
    with running_redis("--maxmemory-policy", "allkeys-lru") as forgetful:
        status, findings, _ = run(tmp_path, REDIS_URL=forgetful.url)

    assert status == 1
    assert findings["redis (REDIS_URL and STATE_REDIS_URL): memory"]["verdict"] == "error"
