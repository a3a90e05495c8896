"""Requests hidden in others: nobody answers them, and no caller gets what another one asked for."""

import itertools

import psutil
import pytest

from tests.factories.nginx import Nginx
from tests.factories.raw_http import Answers, Place
from tests.factories.smuggling import ATTACKS, HIDDEN_PATH, hidden, request
from tests.factories.stack import Stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# Headers that nginx does not pass on, and gunicorn does not believe: what they surround is a body to both.
SWALLOWED = frozenset({"te-underscore", "cl-underscore", "upgrade-h2c"})
LAST = request("GET /health/live HTTP/1.1", "X-Request-ID: last", "Connection: close")
CALLERS = 40
numbers = itertools.count()


@pytest.fixture(params=["nginx", "gunicorn"])
def place(request: pytest.FixtureRequest, nginx: Nginx, guarded: Stack) -> Place:
    return Place(nginx.port, nginx.tls) if request.param == "nginx" else Place(guarded.port)


def attack(place: Place, name: str) -> Answers:
    return place.converse(ATTACKS[name](hidden(name)) + LAST)


def logged(stack: Stack, mark: str) -> str:
    """Return the log of web workers, once it holds the line of a request with this id."""
    wait_until(lambda: mark in stack.log_of("web"))
    return stack.log_of("web")


def connections_to(stack: Stack) -> list[object]:
    """Return the connections that web workers serve."""
    links = psutil.net_connections("tcp")
    return [link for link in links if link.laddr and link.laddr.port == stack.port and link.status == "ESTABLISHED"]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_request_in_a_request_is_never_answered(place: Place, name: str) -> None:
    answers = attack(place, name)

    assert not [told for told in answers.request_ids if told.startswith("hidden")]
    if name in SWALLOWED:
        assert answers.request_ids == ["outer", "last"]
        assert answers.statuses == [401, 200]
    else:
        assert "last" not in answers.request_ids
        assert answers.statuses[-1] >= 400
        assert b"text/html" not in answers.data


def test_a_caller_gets_its_own_answer_after_every_attack(nginx: Nginx, guarded: Stack) -> None:
    edge = Place(nginx.port, nginx.tls)
    with nginx.client() as victim, nginx.client() as other:
        for name in ATTACKS:
            attack(edge, name)
            for client in (victim, other, victim):
                mark = f"victim-{next(numbers)}"
                answer = client.get("/health/live", headers={"X-Request-ID": mark})
                assert (answer.status_code, answer.headers["x-request-id"]) == (200, mark), name

    log = logged(guarded, mark)
    assert "hidden-" not in log
    assert HIDDEN_PATH not in log


def test_callers_share_connections_to_galley(nginx: Nginx, guarded: Stack) -> None:
    for _ in range(CALLERS):
        with nginx.client() as caller:
            assert caller.get("/health/live").is_success

    # Each of nginx's workers keeps those that it needed at once; forty callers, one after the other, need one.
    assert len(connections_to(guarded)) < CALLERS / 2


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/./metrics", "/a/../metrics"])
@pytest.mark.parametrize("form", ["{}", "http://galley{}", "{}?a", "{}#a", "{}/%2e"])
def test_metrics_stay_closed_however_they_are_spelled(nginx: Nginx, path: str, form: str) -> None:
    line = f"GET {form.format(path)} HTTP/1.1"
    answers = Place(nginx.port, nginx.tls).converse(request(line, "Connection: close"))

    assert answers.statuses[0] in {308, 400, 404}
    assert b"# HELP" not in answers.data


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("GET /" + "a" * 9000 + " HTTP/1.1"), 414),
        (request("GET / HTTP/1.1", "X-Long: " + "a" * 9000), 431),
        (request("GET / HTTP/1.1", *(f"X-{n}: " + "a" * 4000 for n in range(9))), 431),
        (b"\x16\x03\x01 GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (request("TRACE / HTTP/1.1"), 405),
        (request("CONNECT galley:443 HTTP/1.1"), 400),
    ],
    ids=["line", "header", "headers", "noise", "no-host", "two-hosts", "version", "trace", "connect"],
)
def test_what_is_no_request_is_refused_as_a_problem(nginx: Nginx, data: bytes, status: int) -> None:
    answers = Place(nginx.port, nginx.tls).converse(data)

    assert answers.statuses == [status]
    assert b"application/problem+json" in answers.data
