"""What every request passes, in what order."""

from collections.abc import Iterator
from inspect import iscoroutinefunction
from itertools import chain
from pathlib import Path

import pytest
from flask import request
from flask.testing import FlaskClient

from tests.factories.web import WebWorker, make_worker

IMAGES = "/api/v1/images/classifications"
ORIGIN = "https://console.example"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[FlaskClient]:
    worker = make_worker(tmp_path, cors_origins=[ORIGIN])
    yield worker.app.test_client()
    worker.services.close()


@pytest.mark.parametrize("path", ["/health/live", "/health/live/", "/docs", "/docs/"])
def test_slash_at_the_end_changes_nothing(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_nothing_redirects(client: FlaskClient) -> None:
    assert client.get("//health//live").status_code == 404


def test_allowed_origin_may_ask_and_read_headers(browser: FlaskClient) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
    }
    preflight = browser.options(IMAGES, headers=asked)
    answer = browser.post(IMAGES, headers={"Origin": ORIGIN})

    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert {"Retry-After", "X-Request-ID", "X-Model-Version", "Location"} <= set(exposed.split(", "))


def test_other_origins_are_not_allowed(browser: FlaskClient) -> None:
    response = browser.get("/health/live", headers={"Origin": "https://evil.example"})

    assert "Access-Control-Allow-Origin" not in response.headers


def test_no_origin_is_allowed_by_default(client: FlaskClient) -> None:
    response = client.get("/health/live", headers={"Origin": ORIGIN})

    assert "Access-Control-Allow-Origin" not in response.headers


def test_size_is_refused_before_the_token_is_looked_at(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, max_body_bytes=10)

    response = worker.app.test_client().post(IMAGES, data=b"x" * 11)
    worker.services.close()

    assert response.status_code == 413


def test_token_is_looked_at_before_the_body(worker: WebWorker, client: FlaskClient) -> None:
    assert client.post(IMAGES, data=b"").json["code"] == "token_missing"


@pytest.mark.parametrize(("trusted", "address"), [(0, "127.0.0.1"), (1, "10.0.0.2"), (2, "10.0.0.1")])
def test_the_address_is_what_the_trusted_proxies_saw(tmp_path: Path, trusted: int, address: str) -> None:
    worker = make_worker(tmp_path, trusted_proxies=trusted)
    worker.app.add_url_rule("/address", view_func=lambda: f"{request.scheme} {request.remote_addr}", endpoint="address")

    forwarded = {
        "X-Forwarded-For": "6.6.6.6, 10.0.0.1, 10.0.0.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "x",
    }
    response = worker.app.test_client().get("/address", headers=forwarded)
    worker.services.close()

    assert response.text == f"http {address}"


def test_views_and_hooks_are_plain_functions(worker: WebWorker) -> None:
    app = worker.app
    hooks = [
        *app.before_request_funcs.values(),
        *app.after_request_funcs.values(),
        *app.teardown_request_funcs.values(),
    ]

    functions = [*app.view_functions.values(), *chain.from_iterable(hooks)]
    assert len(functions) > 20
    assert [function for function in functions if iscoroutinefunction(function)] == []
