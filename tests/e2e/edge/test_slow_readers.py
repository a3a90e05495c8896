"""Clients that ask for much and read none of it: Galley is done with them as soon as nginx has their answers."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tests.factories.nginx import Nginx, running_nginx
from tests.factories.raw_http import Place
from tests.factories.smuggling import request
from tests.factories.stack import Stack, ended_job
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# So many answers a client may follow at one web worker of Galley's.
READERS = 16
# As deploy/nginx.conf has it; then what is idle does not look like what is held.
KEPT, KEPT_BY_NONE = "keepalive 64;", "keepalive 1;"
# More than the sockets between a reader and Galley take up, 6 MB each way at most.
LEAST_BYTES = 16_000_000
SERVED_WITHIN_S = 10.0


@pytest.fixture(scope="module")
def results(guarded: Stack) -> str:
    """The path of the results of a job, which are long."""
    inputs = [{"user_id": number % 900 + 1, "k": 100} for number in range(4000)]
    with guarded.client() as client:
        job = ended_job(client, client.post("/api/v1/jobs", json={"kind": "recommendations", "inputs": inputs}))
        path = f"/api/v1/jobs/{job}/results"
        assert len(client.get(path).content) > LEAST_BYTES
    return path


@contextmanager
def slow_readers(nginx: Nginx, data: bytes) -> Iterator[None]:
    """Have a crowd ask for the same, and read no more of the answers than that they have begun."""
    with ExitStack() as held:
        readers = [held.enter_context(Place(nginx.port, nginx.tls).connect("127.0.0.11")) for _ in range(READERS)]
        for reader in readers:
            reader.sendall(data)
        for reader in readers:
            assert reader.recv(16).startswith(b"HTTP/1.1 200 ")
        yield


def held_by(nginx: Nginx, port: int) -> int:
    """Return how many connections to what is behind it this nginx has open."""
    links = [link for worker in psutil.Process(nginx.pid).children() for link in worker.net_connections("tcp")]
    return sum(1 for link in links if link.raddr and link.raddr.port == port and link.status == "ESTABLISHED")


def test_readers_that_read_nothing_hold_nothing_of_galley(guarded: Stack, token: str, results: str) -> None:
    admins = guarded.token()
    with (
        running_nginx(guarded.port, {KEPT: KEPT_BY_NONE}) as nginx,
        nginx.client(token) as good,
        nginx.client(admins) as admin,
        slow_readers(nginx, request(f"GET {results} HTTP/1.1", f"Authorization: Bearer {admins}")),
    ):
        asked = time.monotonic()
        assert good.post("/api/v1/recommendations", json={"user_id": 1}).status_code == 200
        took_s = time.monotonic() - asked
        wait_until(lambda: held_by(nginx, guarded.port) < READERS / 2)
        # Those answers have ended, to Galley: the same client may have more.
        with admin.stream("GET", results) as another:
            assert another.status_code == 200

    assert took_s < SERVED_WITHIN_S
