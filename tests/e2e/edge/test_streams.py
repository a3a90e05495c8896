"""Streams through TLS: WebSockets, server-sent events, and pages of which some may open sockets."""

import itertools
import json

import httpx
import pytest

from tests.e2e.edge.conftest import CONSOLE
from tests.factories.nginx import Nginx, running_nginx
from tests.factories.raw_http import Place
from tests.factories.recording_upstream import recording_upstream
from tests.factories.stack import Stack
from tests.factories.stream_socket import StreamSocket, handshake_bytes

pytestmark = pytest.mark.long

numbers = itertools.count()


def payment() -> dict[str, object]:
    return {
        "event_id": f"edge-{next(numbers)}",
        "account_id": "edge",
        "merchant_id": "m-1",
        "amount": 12.5,
        "currency": "EUR",
        "occurred_at": "2026-01-05T10:00:00Z",
    }


def test_payments_are_scored_over_tls(nginx: Nginx, token: str) -> None:
    with StreamSocket(nginx.port, tls=nginx.tls) as socket:
        assert socket.greet(token)["type"] == "ready"
        answers = [socket.ask(payment()) for _ in range(3)]

    assert [(answer["type"], answer["seq"]) for answer in answers] == [("score", 1), ("score", 2), ("score", 3)]


def test_a_text_is_classified_over_tls(nginx: Nginx, token: str) -> None:
    with StreamSocket(nginx.port, "text", tls=nginx.tls) as socket:
        assert socket.greet(token)["type"] == "ready"
        socket.say(type="text", seq=1, text="I lost my card", end=True)
        answer = socket.hear()

    assert (answer["type"], answer["seq"], answer["final"]) == ("prediction", 1, True)


def test_a_socket_outlives_a_reload(nginx: Nginx, token: str) -> None:
    with StreamSocket(nginx.port, tls=nginx.tls) as socket:
        assert socket.greet(token)["type"] == "ready"
        nginx.reload()
        assert socket.ask(payment())["type"] == "score"


def test_events_of_a_job_come_as_they_happen(nginx: Nginx, guarded: Stack) -> None:
    with nginx.client(guarded.token()) as client:
        rows = [{"user_id": number} for number in range(1, 2001)]
        job = client.post("/api/v1/jobs", json={"kind": "recommendations", "inputs": rows}).raise_for_status().json()
        with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as answer:
            lines = [line for line in answer.iter_lines() if line]

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    [*progress, last] = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert set(events[:-1]) == {"progress"}
    assert events[-1] == "end"
    # The first was told while there was work to do: nothing held it back until the end.
    assert progress[0]["finished_at"] is None
    assert last["state"] == "succeeded"


def test_an_event_waits_for_no_other() -> None:
    # More is announced than ever comes: what would wait for it, or for a full buffer, would wait in vain.
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nContent-Length: 1000\r\n\r\n"
    event = "data: first\n\n"
    with recording_upstream() as upstream, running_nginx(upstream.port) as nginx, nginx.client() as client:
        upstream.answer = (head + event).encode()
        with client.stream("GET", "/api/v1/jobs/a/events") as answer:
            assert next(answer.iter_text()) == event


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://127.0.0.1.evil.example", "null", "https://127.0.0.1:1"]
)
def test_pages_of_others_may_not_open_sockets(nginx: Nginx, origin: str) -> None:
    data = handshake_bytes(nginx.port, "fraud", f"Origin: {origin}", "X-Forwarded-Host: evil.example")
    with Place(nginx.port, nginx.tls).connect() as connection:
        connection.sendall(data)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b'"code":"origin_not_allowed"' in answer


def test_own_pages_and_allowed_ones_may(nginx: Nginx, token: str) -> None:
    for origin in (nginx.url, CONSOLE):
        with StreamSocket(nginx.port, "fraud", f"Origin: {origin}", tls=nginx.tls) as socket:
            assert socket.greet(token)["type"] == "ready"


def test_only_websockets_are_another_protocol(nginx: Nginx, caller: httpx.Client) -> None:
    answer = caller.get("/health/live", headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})

    assert answer.status_code == 200
    assert "upgrade" not in answer.headers
