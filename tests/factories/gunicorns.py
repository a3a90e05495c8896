"""A real gunicorn with one worker, without the stack around it, for tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from app.services.clients import ClientService
from app.services.tokens import TokenService
from app.settings import Settings
from tests.factories.database import make_database
from tests.factories.settings import TEST_SECRET
from tests.factories.stack import ROOT
from tests.factories.tokens import make_codec

CONFIG = ROOT / "deploy" / "gunicorn.conf.py"


@contextmanager
def running_gunicorn(
    settings: Settings, port: int, *, config: Path = CONFIG, **variables: str
) -> Iterator[psutil.Process]:
    """Run it with a configuration, and settings besides; it writes to `web.log` in VAR_DIR."""
    metrics = settings.metrics_dir / "web"
    metrics.mkdir(parents=True, exist_ok=True)
    wanted = {"VAR_DIR": str(settings.var_dir), "JWT_SECRET": TEST_SECRET, "HOST": "127.0.0.1", "PORT": str(port)}
    wanted |= {"WEB_WORKERS": "1", "DRAIN_S": "2", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    command = [sys.executable, "-m", "gunicorn", "--config", str(config), "wsgi:app"]
    with (settings.var_dir / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **wanted, **variables}, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def is_alive(url: str) -> bool:
    """Say whether it answers."""
    try:
        return httpx.get(f"{url}/health/live", timeout=10).is_success
    except httpx.HTTPError:
        return False


def issue_token(settings: Settings) -> str:
    """Make an admin client of the migrated database; return a token of it."""
    database = make_database(settings.var_dir)
    issued = ClientService(settings, database).create_admin(by="test")
    tokens = TokenService(settings, database, make_codec(settings))
    token = tokens.issue(issued.client.client_id, issued.secret).access_token
    database.close()
    return token
