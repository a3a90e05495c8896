"""Uploads of versions through a real gunicorn worker: large ones cost it no memory, broken ones leave nothing."""

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import httpx
import psutil
import pytest

from app.settings import Settings
from tests.factories.database import migrate
from tests.factories.gunicorns import is_alive, issue_token, running_gunicorn
from tests.factories.models import publish_model
from tests.factories.settings import make_settings
from tests.factories.stack import free_port
from tests.factories.tensor_models import doubles_manifest
from tests.factories.uploads import MANIFEST
from tests.factories.waiting import wait_until
from workers.bootstrap import assemble

MIB = 2**20
JOB_FIELDS = ((b"kind", b"tensor"), (b"model", b"grinds"), (b"version", b"1"))
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


def publish(settings: Settings) -> None:
    """Publish a model that jobs may ask, though nothing runs them here."""
    migrate(settings.database_url)
    parts = assemble(settings)
    publish_model(parts.store, settings.var_dir, name="grinds", manifest=doubles_manifest(), samples=None)
    parts.releases.adopt_store()
    parts.close()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with tempfile.TemporaryDirectory(prefix="galley-web-") as folder:
        settings, port = make_settings(Path(folder)), free_port()
        publish(settings)
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


@pytest.mark.long
@pytest.mark.alone
def test_large_input_of_a_job_is_never_held_in_memory(web: Web) -> None:
    before = web.peak_bytes()
    head = b'--part\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    fields = b"".join(head % (name, value) for name, value in JOB_FIELDS)
    file = b'--part\r\nContent-Disposition: form-data; name="input"; filename="rows.ndjson"\r\n\r\n'
    body = chain([fields, file], repeat(b'{"n": 12345}\n' * (MIB // 13), 1024), [b"\r\n--part--\r\n"])

    response = httpx.post(f"{web.url}/api/v1/jobs", headers=web.headers, content=body, timeout=300)

    assert response.status_code == 202, response.text
    stored = web.settings.var_dir / "jobs" / response.json()["id"] / "input"
    assert stored.stat().st_size == 1024 * (MIB // 13) * 13
    assert web.peak_bytes() - before < 64 * MIB


def test_upload_whose_sender_goes_away_leaves_nothing(web: Web) -> None:
    known = set(web.quarantine.glob("*"))
    lines = [f"POST {PATH} HTTP/1.1", "Host: galley", f"Content-Length: {ARTIFACT_BYTES}"]
    lines += [f"{name}: {value}" for name, value in web.headers.items()]
    address = httpx.URL(web.url)
    with socket.create_connection((address.host, address.port or 0), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + HEAD + bytes(3 * MIB))
        wait_until(lambda: set(web.quarantine.glob("*")) - known)

    wait_until(lambda: set(web.quarantine.glob("*")) == known)
