"""Uploads of versions through a real gunicorn worker: large ones cost it no memory, broken ones leave nothing."""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from app.services.clients import ClientService
from app.services.tokens import TokenService
from app.settings import Settings
from tests.factories.controllers import ROOT
from tests.factories.database import make_database
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.stack import free_port
from tests.factories.tokens import make_codec
from tests.factories.uploads import MANIFEST
from tests.factories.waiting import wait_until

MIB = 2**20
ARTIFACT_BYTES = 200 * MIB
PATH = "/api/v1/models/large/versions"
HEAD = b'--part\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n%s\r\n' % MANIFEST
HEAD += b'--part\r\nContent-Disposition: form-data; name="artifact"; filename="model.pt"\r\n\r\n'


@dataclass(frozen=True, kw_only=True)
class Web:
    """A gunicorn with one worker."""

    url: str
    settings: Settings
    token: str
    master: psutil.Process

    @property
    def headers(self) -> dict[str, str]:
        """What an upload needs."""
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "multipart/form-data; boundary=part"}

    @property
    def quarantine(self) -> Path:
        """Where uploads lie."""
        return self.settings.var_dir / "quarantine"

    def peak_bytes(self) -> int:
        """Return the most memory that the worker ever held."""
        (worker,) = self.master.children()
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=10).is_success
    except httpx.HTTPError:
        return False


def issue_token(settings: Settings) -> str:
    database = make_database(settings.var_dir)
    issued = ClientService(settings, database).create_admin(by="test")
    tokens = TokenService(settings, database, make_codec(settings))
    token = tokens.issue(issued.client.client_id, issued.secret).access_token
    database.close()
    return token


@contextmanager
def running_gunicorn(settings: Settings, port: int) -> Iterator[psutil.Process]:
    metrics = settings.metrics_dir / "web"
    metrics.mkdir(parents=True)
    wanted = {"VAR_DIR": str(settings.var_dir), "JWT_SECRET": TEST_SECRET, "HOST": "127.0.0.1", "PORT": str(port)}
    environment = os.environ | wanted | {"WEB_WORKERS": "1", "DRAIN_S": "2", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "wsgi:app"]
    with (settings.var_dir / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with tempfile.TemporaryDirectory(prefix="galley-web-") as folder:
        settings, port = make_settings(Path(folder)), free_port()
        token, url = issue_token(settings), f"http://127.0.0.1:{port}"
        with running_gunicorn(settings, port) as master:
            wait_until(lambda: is_alive(url), timeout_s=60)
            yield Web(url=url, settings=settings, token=token, master=master)


def large_body(url: str) -> Iterator[bytes]:
    """Yield a form piece by piece; in the middle of it somebody else is served."""
    yield HEAD
    for number in range(ARTIFACT_BYTES // MIB):
        yield os.urandom(MIB)
        if number % 50 == 25:
            assert is_alive(url)
    yield b"\r\n--part--\r\n"


def test_large_upload_is_never_held_in_memory(web: Web) -> None:
    before = web.peak_bytes()

    response = httpx.post(web.url + PATH, headers=web.headers, content=large_body(web.url), timeout=120)

    assert response.status_code == 202, response.text
    artifact = web.quarantine / response.json()["id"] / "model.pt"
    assert artifact.stat().st_size == ARTIFACT_BYTES
    assert web.peak_bytes() - before < 32 * MIB


def test_upload_whose_sender_goes_away_leaves_nothing(web: Web) -> None:
    known = set(web.quarantine.glob("*"))
    lines = [f"POST {PATH} HTTP/1.1", "Host: galley", f"Content-Length: {ARTIFACT_BYTES}"]
    lines += [f"{name}: {value}" for name, value in web.headers.items()]
    address = httpx.URL(web.url)
    with socket.create_connection((address.host, address.port or 0), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + HEAD + bytes(3 * MIB))
        wait_until(lambda: set(web.quarantine.glob("*")) - known)

    wait_until(lambda: set(web.quarantine.glob("*")) == known)
