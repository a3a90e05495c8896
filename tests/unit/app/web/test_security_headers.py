"""Every answer tells browsers to guess nothing, to run nothing and to say nothing of where they were."""

import pytest
from flask.testing import FlaskClient

from app.web.security_headers import SECURITY_HEADERS
from tests.factories.web import WebWorker

PAGES = ("/docs", "/docs/streams")


def headers_of(client: FlaskClient, path: str, method: str = "GET") -> dict[str, str]:
    with client.open(path, method=method) as response:
        return {name: response.headers.get(name, "") for name, _ in SECURITY_HEADERS}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health/live"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/swagger-ui.css"),
        ("POST", "/auth/token"),
        ("POST", "/api/v1/recommendations"),
        ("GET", "/api/v1/fraud/stream"),
        ("GET", "/v2/models/digits"),
        ("GET", "/no/such/route"),
        ("TRACE", "/health/live"),
    ],
)
def test_answers_and_failures_carry_them(client: FlaskClient, method: str, path: str) -> None:
    assert headers_of(client, path, method) == dict(SECURITY_HEADERS)


def test_an_unforeseen_failure_carries_them(worker: WebWorker) -> None:
    @worker.app.get("/broken")
    def fail() -> None:
        raise ZeroDivisionError

    assert headers_of(worker.app.test_client(), "/broken") == dict(SECURITY_HEADERS)


@pytest.mark.parametrize("path", PAGES)
def test_pages_bring_a_policy_of_their_own(client: FlaskClient, path: str) -> None:
    found = headers_of(client, path)

    assert found.pop("Content-Security-Policy").startswith("default-src 'self'; ")
    assert found == {name: value for name, value in SECURITY_HEADERS if name in found}


def test_each_comes_once(client: FlaskClient) -> None:
    answer = client.get("/docs")

    assert [len(answer.headers.getlist(name)) for name, _ in SECURITY_HEADERS] == [1, 1, 1]
