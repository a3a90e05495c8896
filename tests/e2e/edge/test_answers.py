"""What nginx passes on, and what it answers by itself in Galley's name."""

import json

import httpx
import pytest

from app.web.security_headers import SECURITY_HEADERS
from tests.factories.nginx import Nginx
from tests.factories.raw_http import Place
from tests.factories.smuggling import CHUNKED, request
from tests.factories.stack import Stack, classify

pytestmark = pytest.mark.long

PROBLEM = {"type", "title", "status", "detail", "code", "request_id", "retryable"}
V2_FAILURE = {"error", "code", "request_id", "retryable"}
OVER_THE_LIMIT = 66 * 2**20


def test_picture_is_classified_through_nginx(guarded: Stack, caller: httpx.Client) -> None:
    picture = guarded.picture.read_bytes()
    answers = [classify(caller, picture) for _ in range(3)]

    assert [answer.json()["results"][0]["labels"][0]["label"] for answer in answers] == ["7"] * 3


def test_large_upload_reaches_galley(caller: httpx.Client) -> None:
    answer = classify(caller, b"\x89PNG\r\n" + bytes(8 * 2**20))

    assert answer.status_code in {400, 415}
    assert answer.headers["content-type"] == "application/problem+json"


def test_request_id_goes_through(caller: httpx.Client) -> None:
    sane = caller.get("/health/live", headers={"X-Request-ID": "order-66"})
    strange = caller.get("/health/live", headers={"X-Request-ID": 'a"b'})

    assert sane.headers["x-request-id"] == "order-66"
    assert strange.headers["x-request-id"] != 'a"b'


def test_each_header_of_security_is_said_once(alone: Nginx, caller: httpx.Client) -> None:
    with alone.client() as client:
        own, passed_on = client.get("/health/live"), caller.get("/health/live")

    for name, value in (*SECURITY_HEADERS, ("Strict-Transport-Security", "max-age=31536000")):
        assert own.headers.get_list(name) == passed_on.headers.get_list(name) == [value]


def ask(alone: Nginx, case: str) -> httpx.Response:
    """Provoke one of nginx's own answers."""
    path, _, what = case.partition(" ")
    content = bytes(OVER_THE_LIMIT) if what == "too-large" else None
    headers = {"X-Long": "a" * 9000} if what == "long-header" else {}
    method = {"too-large": "POST", "trace": "TRACE"}.get(what, "GET")
    with alone.client() as client:
        return client.request(method, path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ("{} away", 503, "unavailable"),
        ("{} too-large", 413, "body_too_large"),
        ("{} long-header", 431, "headers_too_large"),
        ("{} trace", 405, "method_not_allowed"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/models", "/v2/models/digits/infer", "/v2?a"])
def test_own_answers_have_the_form_of_where_they_are_asked(
    alone: Nginx, path: str, case: str, status: int, code: str
) -> None:
    answer = ask(alone, case.format(path))
    told = answer.json()

    assert answer.status_code == status
    assert answer.headers["content-type"] == ("application/json" if "/v2" in path else "application/problem+json")
    assert set(told) == (V2_FAILURE if "/v2" in path else PROBLEM)
    assert (told["code"], told.get("status", status)) == (code, status)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["retryable"] is (status == 503)
    assert answer.headers.get("retry-after") == ("2" if status == 503 else None)


@pytest.mark.parametrize(("path", "status"), [("/v2/a%00", 400), ("/v2/" + "a" * 9000, 414)])
def test_what_is_no_request_is_refused_in_both_forms(alone: Nginx, path: str, status: int) -> None:
    answers = Place(alone.port, alone.tls).converse(request(f"GET {path} HTTP/1.1"))
    told = json.loads(answers.data.partition(b"\r\n\r\n")[2])

    assert answers.statuses == [status]
    assert set(told) == PROBLEM | {"error"}
    assert told["error"] == told["detail"]


def test_codings_that_nobody_reads_are_a_problem(alone: Nginx) -> None:
    data = request("POST /a HTTP/1.1", f"{CHUNKED}, gzip", "Connection: close")
    answers = Place(alone.port, alone.tls).converse(data)

    assert answers.statuses == [501]
    assert b'"code":"unsupported_transfer_coding"' in answers.data
