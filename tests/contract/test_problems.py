"""One shape of failure on every route, and one code per kind of failure."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.web.api import error_classes
from app.web.error_handlers import status_of
from tests.factories.web import WebWorker

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "retryable"}
V2_MEMBERS = {"error", "code", "request_id", "retryable"}
ARGUMENT = re.compile(r"<[^>]+>")
# A worker without a controller is not ready, and says so in a form of its own.
READINESS = {"/health/ready"}
GARBAGE = b'{"a": NaN, \xff\x00'


def assert_is_problem(response: TestResponse, place: object) -> None:
    """Assert that a failure looks like all others, or under /v2 like all others there."""
    body = response.json
    if re.match(r"/v2(/|$)", response.request.path):
        assert response.content_type == "application/json", place
        assert set(body) >= V2_MEMBERS, place
        assert isinstance(body["error"], str), place
        assert response.status_code != 422, place
    else:
        assert response.content_type == "application/problem+json", place
        assert set(body) >= MEMBERS, place
        assert body["status"] == response.status_code, place
    assert body["request_id"] == response.headers["X-Request-ID"], place
    assert ("Retry-After" in response.headers) == (response.status_code in {429, 503}), place
    assert ("WWW-Authenticate" in response.headers) or response.status_code != 401, place
    assert not re.search(r"Traceback|/site-packages/|SELECT ", response.text), place


@pytest.fixture
def rules(worker: WebWorker) -> list[Rule]:
    return [rule for rule in worker.app.url_map.iter_rules() if rule.endpoint != "static"]


def calls(rule: Rule) -> Iterator[tuple[str, str]]:
    path = ARGUMENT.sub("unheard-of", rule.rule)
    yield from ((method, path) for method in sorted(rule.methods or ()) if method not in {"HEAD", "OPTIONS"})


def test_every_route_fails_in_one_shape_without_a_token(client: FlaskClient, rules: list[Rule]) -> None:
    failures = 0
    for rule in rules:
        for method, path in calls(rule):
            with client.open(path, method=method) as response:
                if response.status_code >= 400 and path not in READINESS:
                    assert_is_problem(response, f"{method} {path}")
                    failures += 1

    assert failures >= 5


def test_every_route_fails_in_one_shape_on_garbage(worker: WebWorker, client: FlaskClient, rules: list[Rule]) -> None:
    headers = {**worker.bearer(), "Content-Type": "application/json"}
    for rule in rules:
        for method, path in calls(rule):
            with client.open(path, method=method, data=GARBAGE, headers=headers) as response:
                assert response.status_code < 500 or path in READINESS, f"{method} {path}"
                if response.status_code >= 400 and path not in READINESS:
                    assert_is_problem(response, f"{method} {path}")


def test_no_route_takes_every_method(client: FlaskClient, rules: list[Rule]) -> None:
    for rule in rules:
        path = ARGUMENT.sub("unheard-of", rule.rule)
        response = client.open(path, method="TRACE")
        assert response.status_code == 405, path
        assert response.headers["Allow"], path
        assert_is_problem(response, path)


def test_paths_that_are_not_there_fail_in_the_same_shape(client: FlaskClient) -> None:
    for path in (
        "/", "/v3", "/v2x", "/v2/nothing", "/v2/models/a/b", "/api/v1", "/api/v1/images/", "/health",
        "/docs/nothing.js", "/static/../wsgi.py",
    ):  # fmt: skip
        assert_is_problem(client.get(path), path)


def test_token_is_challenged_wherever_it_is_wrong(client: FlaskClient) -> None:
    for header in ("Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer \x7f", "bearer  "):
        response = client.get("/api/v1/models", headers={"Authorization": header})
        assert response.status_code == 401, header
        assert_is_problem(response, header)


def test_each_kind_of_failure_has_a_code_of_its_own() -> None:
    codes = Counter(error.code for error in error_classes())

    assert [code for code, count in codes.items() if count > 1] == []
    assert [code for code in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


def test_each_kind_of_failure_has_a_status() -> None:
    assert {int(status_of(error)) for error in error_classes()} == {
        400,
        401,
        403,
        404,
        408,
        409,
        410,
        412,
        413,
        415,
        422,
        426,
        429,
        500,
        502,
        503,
        504,
    }
