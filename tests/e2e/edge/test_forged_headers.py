"""What a caller says of itself in headers: nginx passes on what is the caller's to say, and nothing else."""

from collections.abc import Iterator

import httpx
import pytest

from tests.factories.nginx import Nginx, running_nginx
from tests.factories.raw_http import Place
from tests.factories.recording_upstream import RecordingUpstream, recording_upstream
from tests.factories.smuggling import request

pytestmark = pytest.mark.long

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAILED_LOGINS = 10


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def recorded(upstream: RecordingUpstream) -> Iterator[Nginx]:
    with running_nginx(upstream.port) as nginx:
        yield nginx


def send(nginx: Nginx, *headers: str, line: str = "GET /a HTTP/1.1") -> None:
    answers = Place(nginx.port, nginx.tls).converse(request(line, "Connection: close", *headers))
    assert answers.statuses == [200]


@pytest.mark.parametrize(
    "forged", ["10.0.0.1", "10.0.0.1, 127.0.0.1", "unknown", '"', "10.0.0.1\r\nX-Forwarded-For: 10.0.0.2"]
)
def test_the_address_is_the_one_that_called(recorded: Nginx, upstream: RecordingUpstream, forged: str) -> None:
    send(recorded, f"X-Forwarded-For: {forged}")

    assert upstream.headers("X-Forwarded-For") == ["127.0.0.1"]


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Port: 1",
        "X-Forwarded-Prefix: /admin",
        "X-Forwarded-Protocol: ssl",
        "X-Forwarded-Ssl: off",
        "Forwarded: for=10.0.0.1;host=evil.example",
        "Proxy: http://evil.example",
        "X_Forwarded_For: 10.0.0.1",
        "X_Request_Id: forged",
        "Content_Length: 5",
        "Keep-Alive: timeout=1",
        "TE: trailers",
        "Upgrade: h2c",
    ],
)
def test_what_only_proxies_say_is_not_passed_on(recorded: Nginx, upstream: RecordingUpstream, header: str) -> None:
    send(recorded, header)
    name, _, value = header.partition(": ")

    assert value not in upstream.headers(name)
    assert upstream.headers("X-Forwarded-Proto") == ["https"]


def test_a_header_that_the_caller_calls_its_connections_is_not_lost(
    recorded: Nginx, upstream: RecordingUpstream
) -> None:
    data = request(
        "GET /a HTTP/1.1", "Connection: close, X-Forwarded-For, X-Request-ID, Authorization", "Authorization: b"
    )
    assert Place(recorded.port, recorded.tls).converse(data).statuses == [200]

    assert upstream.headers("X-Forwarded-For") == ["127.0.0.1"]
    assert upstream.headers("Authorization") == ["b"]
    assert upstream.headers("Connection") == []


@pytest.mark.parametrize("forged", ['a"b', "a" * 129, "<script>", "a b", "é", "order-66\r\nX-Request-ID: order-67"])
def test_a_strange_request_id_is_replaced(recorded: Nginx, upstream: RecordingUpstream, forged: str) -> None:
    send(recorded, f"X-Request-ID: {forged}")
    [told] = upstream.headers("X-Request-ID")

    assert told not in forged or told == "order-66"
    assert len(told) == 32 or told == "order-66"


def test_ids_that_a_caller_may_choose_are_passed_on(recorded: Nginx, upstream: RecordingUpstream) -> None:
    send(recorded, "X-Request-ID: order-66", f"traceparent: {TRACE}", "tracestate: a=1,b=2")

    assert upstream.headers("X-Request-ID") == ["order-66"]
    assert upstream.headers("traceparent") == [TRACE]
    assert upstream.headers("tracestate") == ["a=1,b=2"]


def test_an_absolute_address_becomes_a_path(recorded: Nginx, upstream: RecordingUpstream) -> None:
    send(recorded, line="GET http://evil.example/a?b=c HTTP/1.1")

    assert upstream.heads[-1].startswith(b"GET /a?b=c HTTP/1.1\r\n")


def test_kept_connections_are_shared_and_say_so(recorded: Nginx, upstream: RecordingUpstream) -> None:
    send(recorded)

    assert upstream.headers("Connection") == []
    assert upstream.heads[-1].startswith(b"GET /a HTTP/1.1\r\n")


def test_failed_logins_are_counted_for_the_address_that_called(caller: httpx.Client) -> None:
    form = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "wrong"}
    answers = [
        caller.post("/auth/token", data=form, headers={"X-Forwarded-For": f"10.0.0.{n}"})
        for n in range(FAILED_LOGINS + 1)
    ]

    assert [answer.status_code for answer in answers] == [401] * FAILED_LOGINS + [429]
