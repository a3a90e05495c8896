"""A web worker is told to end while a request is under way: how long it waits for it, and what it does then."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from app.infra.redis import make_redis
from app.services.usage_store import PREFIX
from app.settings import Settings
from tests.factories.database import migrate
from tests.factories.gunicorns import CONFIG, is_alive, issue_token, running_gunicorn
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.factories.stack import free_port
from tests.factories.uploads import version_body
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

VERSIONS = "/api/v1/models/large/versions"
HALF = 100
# What is counted waits for the end of the worker, instead of a second.
PATIENT = f"""
from pathlib import Path

from app.services import usage

usage.FLUSH_EVERY_S = 3600.0
path = Path({str(CONFIG)!r})
exec(compile(path.read_text(), path, "exec"))
"""


@pytest.fixture
def settings(redis_client: redis.Redis, redis_server: RedisServer) -> Iterator[Settings]:
    """Those of a server whose Redis is without keys."""
    redis_client.ping()
    with tempfile.TemporaryDirectory(prefix="galley-web-") as folder:
        yield make_settings(Path(folder), redis_url=redis_server.url)


@dataclass(frozen=True)
class Upload:
    """A version that is sent to a server in two pieces."""

    port: int
    token: str
    form: dict[str, Any] = field(default_factory=version_body)

    @contextmanager
    def begun(self) -> Iterator[socket.socket]:
        """Send the head, and half of the body once a worker asks for it; yield the connection."""
        head = [
            f"POST {VERSIONS} HTTP/1.1",
            "Host: galley",
            f"Authorization: Bearer {self.token}",
            f"Content-Type: {self.form['content_type']}",
            f"Content-Length: {len(self.form['data'])}",
            "Expect: 100-continue",
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
            connection.sendall(self.form["data"][:HALF])
            yield connection

    def end(self, connection: socket.socket) -> bytes:
        """Send the rest; return the answer."""
        connection.sendall(self.form["data"][HALF:])
        return connection.recv(65536)


def is_closed(connection: socket.socket) -> bool:
    """Wait for what comes; say whether it is the end."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_request_that_hangs_costs_no_count_and_no_line(settings: Settings, tmp_path: Path) -> None:
    config, port = tmp_path / "gunicorn.conf.py", free_port()
    config.write_text(PATIENT)
    migrate(settings.database_url)
    token, url = issue_token(settings), f"http://127.0.0.1:{port}"
    with running_gunicorn(settings, port, config=config, REDIS_URL=settings.redis_url, DRAIN_S="1") as master:
        wait_until(lambda: is_alive(url), timeout_s=60)
        httpx.get(f"{url}/api/v1/models", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
        with Upload(port, token).begun():
            master.terminate()
            master.wait(30)

    with make_redis(settings) as client:
        assert list(client.scan_iter(f"{PREFIX}*")) != []
    assert "1 connections did not end" in (settings.var_dir / "web.log").read_text()


def test_an_upload_that_ends_within_drain_s_is_answered(settings: Settings) -> None:
    migrate(settings.database_url)
    upload = Upload(free_port(), issue_token(settings))
    with running_gunicorn(settings, upload.port, DRAIN_S="60") as master:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{upload.port}"), timeout_s=60)
        with upload.begun() as connection:
            master.terminate()
            # It takes no more: it drains.
            wait_until(lambda: not is_alive(f"http://127.0.0.1:{upload.port}"))

            assert upload.end(connection).startswith(b"HTTP/1.1 202 ")


def test_an_upload_that_outlasts_drain_s_breaks_off_becomes_nothing_and_may_be_sent_again(settings: Settings) -> None:
    migrate(settings.database_url)
    upload = Upload(free_port(), issue_token(settings))
    with running_gunicorn(settings, upload.port, DRAIN_S="1") as master:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{upload.port}"), timeout_s=60)
        with upload.begun() as connection:
            master.terminate()
            assert is_closed(connection)
    with running_gunicorn(settings, upload.port) as master:
        wait_until(lambda: is_alive(f"http://127.0.0.1:{upload.port}"), timeout_s=60)
        with upload.begun() as connection:
            assert upload.end(connection).startswith(b"HTTP/1.1 202 ")
        headers = {"Authorization": f"Bearer {upload.token}"}
        jobs = httpx.get(f"http://127.0.0.1:{upload.port}/api/v1/jobs", headers=headers).raise_for_status().json()

    assert len(jobs) == 1
