"""nginx is reloaded under load, as for each new certificate: every request is answered."""

import ssl
import time
from functools import partial

import httpx
import pytest

from tests.factories.certificates import make_certificates
from tests.factories.load import Call, Load, running_load
from tests.factories.nginx import Nginx
from tests.factories.raw_http import Place
from tests.factories.stack import Stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

RELOADS = 3
CALLERS = 4
ONE_BY_ONE = httpx.Limits(max_keepalive_connections=0)


def serial_number(nginx: Nginx) -> str:
    """Return the number of the certificate that nginx shows."""
    with Place(nginx.port, nginx.tls).connect() as connection:
        assert isinstance(connection, ssl.SSLSocket)
        shown = connection.getpeercert()
    assert shown is not None
    return str(shown["serialNumber"])


def has_gone_on(load: Load, moment: float) -> bool:
    """Say whether callers have been answered often since a moment."""
    return load.good_since(moment) > 10 * CALLERS


def live(client: httpx.Client) -> httpx.Response:
    """Ask for a little."""
    return client.get("/health/live")


def asked_again(client: httpx.Client) -> httpx.Response:
    """Ask, and once more where the connection ended between two requests, as RFC 9112 §9.3.1 has clients do."""
    try:
        return live(client)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        return live(client)


@pytest.mark.parametrize(("limits", "ask"), [(ONE_BY_ONE, live), (httpx.Limits(), asked_again)], ids=["fresh", "kept"])
def test_a_reload_loses_no_request(nginx: Nginx, limits: httpx.Limits, ask: Call) -> None:
    make_client = partial(httpx.Client, base_url=nginx.url, verify=nginx.tls, limits=limits, timeout=30)
    with running_load(make_client, ask, threads=CALLERS) as load:
        for _ in range(RELOADS):
            nginx.reload()
            wait_until(partial(has_gone_on, load, time.monotonic()))

    assert [outcome for outcome in load.outcomes if outcome.status != 200] == []


def test_a_request_under_way_is_finished_by_the_worker_that_took_it(nginx: Nginx, guarded: Stack) -> None:
    job = {"kind": "recommendations", "inputs": [{"user_id": 1}]}
    body = httpx.Request("POST", nginx.url, json=job).content
    head = [
        "POST /api/v1/jobs HTTP/1.1",
        "Host: galley",
        f"Authorization: Bearer {guarded.token()}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
        "",
        "",
    ]
    with Place(nginx.port, nginx.tls).connect() as connection:
        connection.sendall("\r\n".join(head).encode() + body[:9])
        # Taken for certain: nginx asks for the body.
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        nginx.reload()
        connection.sendall(body[9:])
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 202 ")


def test_a_new_certificate_is_taken_up(nginx: Nginx) -> None:
    before = serial_number(nginx)
    make_certificates(nginx.folder)
    nginx.tls.load_verify_locations(cafile=str(nginx.ca))
    nginx.reload()

    assert serial_number(nginx) != before
