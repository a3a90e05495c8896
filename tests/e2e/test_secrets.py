"""No secret of a whole stack is told: not by its logs, its answers, its metrics, its command line or its processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis

from tests.factories.postgres_server import running_postgres
from tests.factories.redis_server import running_redis
from tests.factories.stack import ROOT, Stack, is_ready, running_stack, title_of
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

SIGNING_KEY = "f3a91c07d25be86440fa3c2d19b7e508"
REDIS_PASSWORD = "5d0c4e9b12af7836"
SQL_PASSWORD = "c81f7a60e3b2945d"


@pytest.fixture(scope="module")
def guarded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose secrets are all in files, over a Redis and a PostgreSQL that are called with passwords."""
    folder = tmp_path_factory.mktemp("secrets")
    with running_postgres() as postgres, running_redis() as redis:
        with closing(Redis.from_url(redis.url)) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        urls = {
            "JWT_SECRET": SIGNING_KEY,
            "DATABASE_URL": postgres.make_database().replace("galley@", f"galley:{SQL_PASSWORD}@"),
            "REDIS_URL": redis.url.replace("://", f"://:{REDIS_PASSWORD}@"),
        }
        for name, value in urls.items():
            (folder / name).write_text(f"{value}\n")
        variables = {f"{name}_FILE": str(folder / name) for name in urls} | {"ENVIRONMENT": "production"}
        with running_stack(stack, variables=variables) as guarded:
            yield guarded


@pytest.fixture(scope="module")
def secrets(guarded: Stack) -> dict[str, str]:
    """What must not be told, after a good deal has gone right and wrong."""
    admin = dict(line.split("=", 1) for line in (guarded.var_dir / "admin.env").read_text().split())
    with guarded.client() as client:
        client.get("/api/v1/models").raise_for_status()
        made = client.post("/api/v1/clients", json={"scopes": ["infer"]}).raise_for_status().json()
        token = client.headers["authorization"].removeprefix("Bearer ")
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": "wrong-but-secret-7"}
    assert httpx.post(f"{guarded.url}/auth/token", data=form).status_code == 401
    assert httpx.get(f"{guarded.url}/api/v1/models", headers={"Authorization": f"Bearer {token}x"}).status_code == 401
    for part in ("controller", "celery beat"):
        guarded.find(part)[0].send_signal(signal.SIGKILL)
    wait_until(lambda: is_ready(guarded), timeout_s=120)
    return {
        "signing key": SIGNING_KEY,
        "password of Redis": REDIS_PASSWORD,
        "password of SQL": SQL_PASSWORD,
        "admin's secret": admin["GALLEY_CLIENT_SECRET"],
        "client's secret": made["client_secret"],
        "guess": "wrong-but-secret-7",
        "token": token,
    }


def told(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def test_logs_tell_none(guarded: Stack, secrets: dict[str, str]) -> None:
    logs = [*(guarded.var_dir / "log").glob("*.log")]

    assert {path.name: told(secrets, path.read_text(errors="replace")) for path in logs} == {
        path.name: [] for path in logs
    }
    assert len(logs) >= 4


def test_processes_tell_none(guarded: Stack, secrets: dict[str, str]) -> None:
    processes = guarded.processes()

    assert [title_of(process) for process in processes if told(secrets, title_of(process))] == []
    # Children inherit the names of files; what is in them is in nobody's environment.
    assert [process.pid for process in processes if told(secrets, environment_of(process))] == []


def environment_of(process: psutil.Process) -> str:
    try:
        return Path(f"/proc/{process.pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/health/ready", "/docs"])
def test_open_pages_tell_none(guarded: Stack, secrets: dict[str, str], path: str) -> None:
    assert told(secrets, httpx.get(guarded.url + path).text) == []


@pytest.mark.parametrize("words", [("db", "current"), ("clients", "list"), ("models", "list")])
def test_commands_tell_none(guarded: Stack, secrets: dict[str, str], words: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    result = subprocess.run(command, cwd=ROOT, env=guarded.environment, capture_output=True, text=True, check=True)

    assert told(secrets, result.stdout + result.stderr) == []


def test_sockets_and_notes_on_disk_tell_none(guarded: Stack, secrets: dict[str, str]) -> None:
    notes = [path for path in (guarded.var_dir / "run").rglob("*") if path.is_file()]

    assert [path for path in notes if told(secrets, path.read_text(errors="replace"))] == []
