"""From the request to the socket and back to the log: what is refused in plain HTTP, and what is switched."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import gevent
import pytest
from gevent import socket
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Message, TextMessage

from app.errors import ModelNotFound
from app.web.metrics import current_exposition
from app.web.sockets.desk import init_desk
from app.web.sockets.keeper import Keeper
from app.web.sockets.open_sockets import OpenSockets, sockets_of
from app.web.sockets.reception import Binding, Reception
from tests.factories.captured_logs import captured_logs
from tests.factories.conversations import PATIENCE_S
from tests.factories.plain_heads import plain_read
from tests.factories.scored_events import scored
from tests.factories.served_connections import serving
from tests.factories.web import WebWorker
from tests.fakes.stream_sessions import FakeSocketPlaces, FakeStreamSessions

FRAUD, TEXT = "/api/v1/fraud/stream", "/api/v1/text/stream"
HANDSHAKE = {
    "Host": "galley.example",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
BYE = '{"type":"bye"}'


@dataclass(frozen=True)
class Visit:
    """What became of a request for a WebSocket."""

    response: TestResponse
    head: bytes
    """What came on the wire before any frame."""
    heard: list[dict[str, Any]]
    close_code: int | None

    def problem(self) -> tuple[int, str]:
        """Return how it was refused, in plain HTTP and with nothing on the wire."""
        assert (self.head, self.close_code) == (b"", None)
        return self.response.status_code, json.loads(self.response.data)["code"]


@pytest.fixture
def web(furnished: WebWorker, monkeypatch: pytest.MonkeyPatch) -> WebWorker:
    """The worker with sessions in memory, and sockets that nobody has drained."""
    live = furnished.services
    monkeypatch.setattr(live, "sessions", FakeStreamSessions())
    monkeypatch.setattr(live, "places", FakeSocketPlaces())
    monkeypatch.setattr(furnished.inference, "answer", scored)
    monkeypatch.setattr(furnished.app, "extensions", dict(furnished.app.extensions))
    sockets = OpenSockets(Keeper(live.sessions, live.places))
    monkeypatch.setattr("app.web.sockets.routes.current_sockets", lambda: sockets)
    init_desk(furnished.app, live, sockets)
    return furnished


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with captured_logs() as logs:
        yield logs


def visit(web: WebWorker, path: str, *frames: str | Event, **headers: str | None) -> Visit:
    """Ask for a WebSocket and say all at once; headers are added, or taken away."""
    asked = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent = {name: value for name, value in asked.items() if value is not None}
    server, client = socket.socketpair()
    with server, client:
        talk = Frames(ConnectionType.CLIENT)
        events = (Message(frame) if isinstance(frame, str) else frame for frame in frames)
        client.sendall(b"".join(map(talk.send, events)))
        greenlet = gevent.spawn(
            web.app.test_client().get, path, headers=sent, environ_overrides={"werkzeug.socket": server}
        )
        with gevent.Timeout(PATIENCE_S):
            head, heard, code = _listen(client, talk) if frames else (b"", [], None)
            response = greenlet.get()
    return Visit(response, head, heard, code)


def _listen(client: Any, talk: Frames) -> tuple[bytes, list[dict[str, Any]], int | None]:
    """Read up to the server's close, and close too."""
    received, heard = b"", list[dict[str, Any]]()
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, _, rest = received.partition(b"\r\n\r\n")
    while True:
        talk.receive_data(rest)
        for event in talk.events():
            if isinstance(event, TextMessage):
                heard.append(json.loads(event.data))
            elif isinstance(event, CloseConnection):
                if talk.state is ConnectionState.REMOTE_CLOSING:
                    client.sendall(talk.send(event.response()))
                return head, heard, event.code
        rest = client.recv(65536)


def hello(web: WebWorker, **client: Any) -> str:
    return json.dumps({"type": "hello", "token": web.token(**client)})


@pytest.mark.parametrize("path", [FRAUD, TEXT])
def test_a_plain_request_is_told_to_upgrade(web: WebWorker, path: str) -> None:
    response = web.app.test_client().get(path)

    assert (response.status_code, json.loads(response.data)["code"]) == (426, "upgrade_required")
    assert (response.headers["Upgrade"], response.content_type) == ("websocket", "application/problem+json")


@pytest.mark.parametrize(
    ("name", "value"), [("Sec_WebSocket_Key", None), ("Sec_WebSocket_Version", "12"), ("Sec_WebSocket_Version", None)]
)
def test_a_broken_handshake_is_refused(web: WebWorker, name: str, value: str | None) -> None:
    assert visit(web, FRAUD, **{name: value}).problem() == (400, "invalid_handshake")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://galley.example.evil.example", "http://[", "galley.example"]
)
def test_pages_of_other_origins_are_refused(web: WebWorker, origin: str) -> None:
    assert visit(web, FRAUD, Origin=origin).problem() == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://galley.example", []),
        ("https://shop.example", ["https://shop.example"]),
        ("https://shop.example", ["*"]),
    ],
)
def test_pages_that_may_call_may_open_streams(
    web: WebWorker, monkeypatch: pytest.MonkeyPatch, origin: str, allowed: list[str]
) -> None:
    monkeypatch.setattr(web.services, "settings", replace(web.services.settings, cors_origins=allowed))

    assert visit(web, FRAUD, BYE, Origin=origin).close_code == 1000


def test_a_bad_token_is_refused_before_the_switch(web: WebWorker) -> None:
    refused = visit(web, FRAUD, Authorization="Bearer nonsense")

    assert refused.problem() == (401, "token_invalid")
    assert "Bearer" in refused.response.headers["WWW-Authenticate"]
    bearer = web.bearer(scopes=frozenset({"jobs"}))
    assert visit(web, FRAUD, **bearer).problem() == (403, "insufficient_scope")


def test_nobody_is_let_in_while_the_worker_ends(web: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = OpenSockets(Keeper(web.services.sessions, web.services.places))
    sockets.drain()
    monkeypatch.setattr("app.web.sockets.routes.current_sockets", lambda: sockets)
    refused = visit(web, FRAUD)

    assert refused.problem() == (503, "draining")
    assert int(refused.response.headers["Retry-After"]) >= 1


def test_compression_is_not_agreed_to(web: WebWorker) -> None:
    head = visit(web, FRAUD, BYE, Sec_WebSocket_Extensions="permessage-deflate").head

    assert re.match(rb"HTTP/1.1 101 ", head)
    assert b"permessage-deflate" not in head


def test_a_stream_is_served_and_noted(web: WebWorker, logs: list[Any]) -> None:
    closed = {"stream": "fraud", "code": "1000"}
    before = REGISTRY.get_sample_value("galley_sockets_closed_total", closed) or 0.0
    event = {"event_id": "e", "account_id": "a", "merchant_id": "m", "amount": 2, "currency": "EUR"}
    event["occurred_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    said = json.dumps({"type": "event", "seq": 1, "event": event})
    done = visit(web, f"{FRAUD}?model=fraud&version=1", hello(web), said, BYE)
    ready, answer = done.heard

    assert (ready["model"]["version"], answer["event_id"], answer["score"]) == (1, "e", 0.75)
    assert (done.close_code, done.response.status_code) == (1000, 101)
    [line] = [line for line in logs if line.get("stream")]
    noted = {name: line[name] for name in ("stream", "close_code", "session", "events", "model", "version", "status")}
    assert noted == {
        "stream": "fraud", "close_code": 1000, "session": ready["session"], "events": 1, "model": "fraud",
        "version": 1, "status": 101,
    }  # fmt: skip
    assert REGISTRY.get_sample_value("galley_sockets_closed_total", closed) == before + 1
    assert REGISTRY.get_sample_value("galley_sockets", {"stream": "fraud"}) == 0


def test_a_code_of_the_clients_own_is_counted_as_any_other(web: WebWorker) -> None:
    before = REGISTRY.get_sample_value("galley_sockets_closed_total", {"stream": "fraud", "code": "other"}) or 0.0
    visit(web, FRAUD, '{"type":"ping"}', CloseConnection(4711))

    after = {
        code: REGISTRY.get_sample_value("galley_sockets_closed_total", {"stream": "fraud", "code": code})
        for code in ("other", "4711")
    }
    assert after == {"other": before + 1, "4711": None}


def test_a_stream_is_no_request_of_so_many_hours(web: WebWorker) -> None:
    visit(web, FRAUD, BYE)
    visit(web, FRAUD, Origin="https://evil.example")
    with web.app.app_context():
        samples = [sample for metric in current_exposition().own.collect() for sample in metric.samples]
    statuses = {sample.labels.get("status") for sample in samples if sample.name.startswith("flask_http_request")}

    assert "403" in statuses
    assert "101" not in statuses


def test_a_token_may_come_by_header(web: WebWorker) -> None:
    done = visit(web, TEXT, '{"type":"hello"}', BYE, **web.bearer())

    assert ([frame["model"]["name"] for frame in done.heard], done.close_code) == (["text"], 1000)


@pytest.mark.parametrize(
    ("query", "subject", "binding"),
    [
        ("", None, Binding()),
        ("?model=cards&version=2", None, Binding(model="cards", version="2")),
        ("?version=canary", "till-4", Binding(version="canary", subject="till-4")),
    ],
)
def test_the_handshake_says_what_is_asked_for(
    web: WebWorker, query: str, subject: str | None, binding: Binding
) -> None:
    with mock.patch.object(Reception, "receive", autospec=True, side_effect=ModelNotFound("cards")) as receive:
        done = visit(web, f"{FRAUD}{query}", hello(web), X_Subject=subject)

    assert ([frame["code"] for frame in done.heard], done.close_code) == (["model_not_found"], 1008)
    assert receive.call_args.args[-1] == binding


@pytest.mark.parametrize("subject", ["x" * 129, "\xc2\x85", "\xff"])
def test_a_subject_that_cannot_be_is_refused_before_the_switch(web: WebWorker, subject: str) -> None:
    """Over a connection as it is: behind a 101 nobody could read the refusal."""
    head = plain_read(
        *(f"{name}: {value}".encode() for name, value in HANDSHAKE.items() if name != "Host"),
        f"X-Subject: {subject}".encode("latin-1"),
        path=FRAUD.encode(),
    )
    with serving(web) as served:
        refused = served.connect().ask(head)

    assert (refused.status, refused.json["code"], list(refused.json["errors"])) == (
        422,
        "validation_failed",
        ["X-Subject"],
    )


def test_an_app_tells_its_sockets_of_sessions_that_are_taken(furnished: WebWorker) -> None:
    assert sockets_of(furnished.app).hear_taken in furnished.services.sessions._told
