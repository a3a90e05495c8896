"""Callers are counted by identity and class of route, and told where they stand."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.web.auth import requires
from app.web.limits import IDS_OF_AN_ADDRESS, LimitClass, limited, limits_of
from tests.factories.web import WebWorker, make_worker

LIMITS: dict[str, Any] = {
    "limit_inference": "5/hour",
    "limit_management": "2/hour",
    "limit_login_failures": "3/hour",
    "limit_events": "2/hour",
}


@limited("inference")
@requires("infer")
def inference_view() -> str:
    return "inferred"


@requires("infer")
def unmarked_view() -> str:
    return "managed"


@limited("management")
def anonymous_view() -> str:
    return "anonymous"


def add_views(app: Flask) -> None:
    for view in (inference_view, unmarked_view, anonymous_view):
        app.add_url_rule(f"/{view.__name__}", view_func=view)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WebWorker]:
    worker = make_worker(tmp_path, **LIMITS)
    add_views(worker.app)
    yield worker
    worker.services.close()


def log_in(client: FlaskClient, client_id: str, secret: str) -> TestResponse:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return client.post("/auth/token", data=form)


def test_an_answer_says_where_the_caller_stands(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer()
    client.get("/inference_view", headers=headers)

    answer = client.get("/inference_view", headers=headers)

    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("5", "3")
    assert 0 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 3601
    assert "Retry-After" not in answer.headers


def test_one_too_many_is_429_with_the_time_to_wait(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer()
    answers = [client.get("/unmarked_view", headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["code"] == "rate_limited"
    assert answers[2].json["retryable"] is True
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert answers[2].headers["X-RateLimit-Remaining"] == "0"


def test_classes_of_routes_are_counted_apart(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer()
    for _ in range(3):
        client.get("/unmarked_view", headers=headers)

    assert client.get("/inference_view", headers=headers).status_code == 200


def test_routes_of_a_class_are_counted_together(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer()
    client.get("/unmarked_view", headers=headers)

    answer = client.get("/api/v1/models", headers=headers)

    assert answer.headers["X-RateLimit-Remaining"] == "0"


def test_events_of_streams_have_a_limit_of_their_own(worker: WebWorker) -> None:
    limits = limits_of(worker.app)
    standings = [limits.count_event("shop") for _ in range(3)]
    refusal = standings[-1].refusal(LimitClass.EVENTS)

    assert [(standing.remaining, standing.is_over) for standing in standings] == [(1, False), (0, False), (0, True)]
    assert "limit of 2 events" in refusal.detail
    assert 3590 < refusal.retry_after_s <= 3600
    assert not limits.count_event("bank").is_over
    assert limits.standings("shop")[LimitClass.MANAGEMENT].remaining == 2


def test_clients_do_not_share_a_limit(client: FlaskClient, worker: WebWorker) -> None:
    first, second = worker.bearer(), worker.bearer()
    for _ in range(3):
        client.get("/unmarked_view", headers=first)

    assert client.get("/unmarked_view", headers=second).status_code == 200


def test_tokens_of_one_client_share_its_limit(client: FlaskClient, worker: WebWorker) -> None:
    issued = worker.services.clients.create_admin(by="test")
    for _ in range(2):
        token = worker.services.tokens.issue("admin", issued.secret).access_token
        client.get("/unmarked_view", headers={"Authorization": f"Bearer {token}"})
    token = worker.services.tokens.issue("admin", issued.secret).access_token

    assert client.get("/unmarked_view", headers={"Authorization": f"Bearer {token}"}).status_code == 429


def test_without_an_identity_the_address_is_counted(client: FlaskClient) -> None:
    here = [client.get("/anonymous_view").status_code for _ in range(3)]
    there = client.get("/anonymous_view", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code

    assert (here, there) == ([200, 200, 429], 200)


def test_refused_tokens_count_for_nobody(client: FlaskClient) -> None:
    answers = [client.get("/unmarked_view", headers={"Authorization": "Bearer x"}) for _ in range(4)]

    assert {answer.status_code for answer in answers} == {401}
    assert "X-RateLimit-Limit" not in answers[0].headers


def test_open_routes_are_not_limited(client: FlaskClient) -> None:
    answers = [client.get("/health/live") for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}
    assert "X-RateLimit-Limit" not in answers[0].headers


def test_failed_logins_are_limited_and_say_so(client: FlaskClient, worker: WebWorker) -> None:
    secret = worker.services.clients.create_admin(by="test").secret
    failures = [log_in(client, "admin", "wrong") for _ in range(3)]
    refused = log_in(client, "admin", secret)

    assert [answer.status_code for answer in failures] == [401, 401, 401]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in failures] == ["2", "1", "0"]
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert refused.json["error"] == "temporarily_unavailable"
    assert int(refused.headers["Retry-After"]) > 0


def test_failed_logins_of_one_client_do_not_lock_out_another(client: FlaskClient, worker: WebWorker) -> None:
    secret = worker.services.clients.create_admin(by="test").secret
    for _ in range(4):
        log_in(client, "search", "wrong")

    assert log_in(client, "admin", secret).status_code == 200


def test_an_address_that_tries_many_ids_is_refused(client: FlaskClient, worker: WebWorker) -> None:
    secret = worker.services.clients.create_admin(by="test").secret
    answers = [log_in(client, f"guess-{number}", "wrong") for number in range(3 * IDS_OF_AN_ADDRESS)]
    here = log_in(client, "admin", secret)
    form = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": secret}
    elsewhere = client.post("/auth/token", data=form, environ_base={"REMOTE_ADDR": "10.0.0.9"})

    assert {answer.status_code for answer in answers} == {401}
    assert (here.status_code, here.json["code"], elsewhere.status_code) == (429, "rate_limited", 200)
    assert int(here.headers["Retry-After"]) > 0


def test_good_logins_are_not_counted(client: FlaskClient, worker: WebWorker) -> None:
    secret = worker.services.clients.create_admin(by="test").secret

    assert {log_in(client, "admin", secret).status_code for _ in range(5)} == {200}


def test_failures_elsewhere_do_not_lock_out_an_address(client: FlaskClient, worker: WebWorker) -> None:
    secret = worker.services.clients.create_admin(by="test").secret
    form = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": "wrong"}
    for _ in range(4):
        client.post("/auth/token", data=form, environ_base={"REMOTE_ADDR": "10.0.0.9"})

    assert log_in(client, "admin", secret).status_code == 200


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("path", ["/api/v1/recommendations", "/v2/models/none/infer"])
def test_hot_requests_that_fail_are_counted_too(tmp_path: Path, path: str, *, fast_path: bool) -> None:
    worker = make_worker(tmp_path, fast_path=fast_path, **LIMITS)
    headers, client = worker.bearer(), worker.app.test_client()
    answers = [client.post(path, data=b"{", content_type="application/json", headers=headers) for _ in range(6)]
    worker.services.close()

    assert [answer.status_code == 429 for answer in answers] == [False] * 5 + [True]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
