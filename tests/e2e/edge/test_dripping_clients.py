"""Clients that send a byte now and then, so that no pause of theirs is long: what ends them, or counts them."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from selectors import EVENT_READ, DefaultSelector

import httpx
import pytest

from tests.e2e.edge.test_bounds import FEW_OPEN, MOST_OPEN, at
from tests.e2e.edge.test_slow_clients import HALF_BODY, HALF_HEAD, HEADER_TIMEOUT_S, SERVED_WITHIN_S
from tests.factories.nginx import Nginx, running_nginx
from tests.factories.raw_http import Answers, Place
from tests.factories.recording_upstream import recording_upstream
from tests.factories.stack import Stack, running_stack
from tests.factories.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.long

MANY = 30
DROP_S = 0.5
# Galley's bounds, as short as a test's; and for how long nginx reads on after an answer, unless it is told otherwise.
BODY_TIMEOUT_S, UPLOAD_TIMEOUT_S, LINGERING_S = 2, 4, 30
PAUSE, SHORT_PAUSE, SHORT_PAUSE_S = "client_body_timeout 20s;", "client_body_timeout 3s;", 3.0

JOBS, VERSIONS = "/api/v1/jobs", "/api/v1/models/digits/versions"
ROWS, FORM = "application/json", "multipart/form-data; boundary=b"
BEGINNINGS = {ROWS: "[", FORM: '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'}


class Drips:
    """Connections on which requests have begun."""

    def __init__(self, clients: list[socket.socket]) -> None:
        self.open = set(clients)
        self._came = dict.fromkeys(clients, b"")
        for client in clients:
            client.setblocking(False)

    @property
    def statuses(self) -> list[list[int]]:
        """What was answered on each."""
        return [Answers(data).statuses for data in self._came.values()]

    def drop(self) -> bool:
        """Send one byte more on each that is open, take what comes, and say whether all have ended."""
        for client in self.open:
            # Of one that has ended what came is read below.
            with suppress(OSError):
                client.send(b"1")
        with DefaultSelector() as waiting:
            for client in self.open:
                waiting.register(client, EVENT_READ)
            waiting.select(DROP_S)
        self.open = {client for client in self.open if not self._has_ended(client)}
        return not self.open

    def _has_ended(self, client: socket.socket) -> bool:
        try:
            while piece := client.recv(65536):
                self._came[client] += piece
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True

        return True


@contextmanager
def dripping(nginx: Nginx, beginning: bytes, *, many: int = MANY, source: str = "127.0.0.11") -> Iterator[Drips]:
    """Begin so many requests alike, from one address."""
    place = Place(nginx.port, nginx.tls)
    with ExitStack() as held:
        clients = [held.enter_context(place.connect(source)) for _ in range(many)]
        for client in clients:
            client.sendall(beginning)
        yield Drips(clients)


@pytest.fixture(scope="module")
def hurried(stack: Stack) -> Iterator[Stack]:
    """A stack with one web worker that gives bodies little time."""
    times = {"BODY_TIMEOUT_S": f"{BODY_TIMEOUT_S}", "UPLOAD_TIMEOUT_S": f"{UPLOAD_TIMEOUT_S}"}
    with running_stack(stack, variables={"TRUSTED_PROXIES": "1", "WEB_WORKERS": "1", **times}) as other:
        yield other


@pytest.fixture(scope="module")
def door(hurried: Stack) -> Iterator[Nginx]:
    """The nginx in front of `hurried`."""
    with running_nginx(hurried.port) as nginx:
        yield nginx


def unfinished(path: str, kind: str, token: str | None) -> bytes:
    """Return the beginning of an upload."""
    head = [f"POST {path} HTTP/1.1", "Host: galley", f"Content-Type: {kind}", "Content-Length: 99999"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*head, "", BEGINNINGS[kind]]).encode()


def slowest_call(caller: httpx.Client, drips: Drips, *, within_s: float) -> float:
    """Call between the drops until all have ended, or `within_s` is over; return how long the slowest call took."""
    deadline, slowest_s, number = time.monotonic() + within_s, 0.0, 0
    while not drips.drop() and time.monotonic() < deadline:
        asked, number = time.monotonic(), number + 1
        assert caller.post("/api/v1/recommendations", json={"user_id": number}).status_code == 200
        slowest_s = max(slowest_s, time.monotonic() - asked)
    return slowest_s


def test_heads_that_drip_are_let_go(alone: Nginx) -> None:
    with dripping(alone, HALF_HEAD) as drips:
        wait_until(drips.drop, timeout_s=HEADER_TIMEOUT_S + PATIENCE_S)

    # A head that never came whole is answered with 408 or nothing, and nobody behind nginx is asked.
    assert {tuple(statuses) for statuses in drips.statuses} <= {(), (408,)}


@pytest.mark.parametrize(
    ("path", "kind", "time_s"),
    [
        (JOBS, ROWS, BODY_TIMEOUT_S),
        (JOBS, FORM, UPLOAD_TIMEOUT_S),
        (VERSIONS, FORM, UPLOAD_TIMEOUT_S),
    ],
)
@pytest.mark.parametrize("has_token", [True, False])
def test_uploads_that_drip_end_in_time(
    hurried: Stack, door: Nginx, path: str, kind: str, time_s: int, has_token: bool
) -> None:
    token = hurried.new_clients_token("infer", "jobs", "models:write")
    beginning = unfinished(path, kind, token if has_token else None)
    with door.client(token) as caller, dripping(door, beginning) as drips:
        slowest_s = slowest_call(caller, drips, within_s=time_s + LINGERING_S + PATIENCE_S)
        statuses = {tuple(statuses) for statuses in drips.statuses}

    assert not drips.open
    assert slowest_s < SERVED_WITHIN_S
    # Some of them may be too many of one client before they are too slow. A reset may swallow an answer.
    told, besides = (408, {(), (429,)}) if has_token else (401, {()})
    assert {(told,)} <= statuses <= {(told,), *besides}


def test_bodies_that_drip_count_against_their_address_while_they_do() -> None:
    with (
        recording_upstream() as upstream,
        running_nginx(upstream.port, {MOST_OPEN: FEW_OPEN, PAUSE: SHORT_PAUSE}) as nginx,
        dripping(nginx, HALF_BODY, many=10) as drips,
        at(nginx, "127.0.0.11") as greedy,
        at(nginx, "127.0.0.12") as other,
    ):
        beyond = time.monotonic() + 2 * SHORT_PAUSE_S
        wait_until(lambda: drips.drop() or time.monotonic() > beyond)
        held, refused, served = len(drips.open), greedy.get("/health/live"), other.get("/health/live")
        wait_until(lambda: greedy.get("/health/live").status_code == 200)

    # Nothing ends them while they drip, so how many there may be is the bound; who stops is let go.
    assert (held, refused.status_code, served.status_code) == (10, 429, 200)
