"""Tokens are issued and revoked as OAuth 2.0 says."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services.clients import ClientDraft
from tests.factories.web import WebWorker

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def secret(worker: WebWorker) -> str:
    draft = ClientDraft(client_id="checkout", scopes=frozenset({"infer", "jobs"}))
    return worker.services.clients.create(draft, by="test").secret


@pytest.fixture
def credentials(secret: str) -> dict[str, str]:
    return {"client_id": "checkout", "client_secret": secret}


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def assert_token(answer: TestResponse, scope: str = "infer jobs") -> None:
    assert answer.status_code == 200
    body = dict(answer.json or {})
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": scope}
    assert token.count(".") == 2
    assert answer.headers["Cache-Control"] == "no-store"


def assert_failure(answer: TestResponse, status: int, error: str) -> None:
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["error"] == error
    assert answer.json["error_description"] == answer.json["detail"]
    assert answer.json["status"] == status


def test_a_form_gets_a_token(client: FlaskClient, credentials: dict[str, str]) -> None:
    assert_token(client.post("/auth/token", data={**GRANT, **credentials}))


def test_json_gets_a_token(client: FlaskClient, credentials: dict[str, str]) -> None:
    assert_token(client.post("/auth/token", json={**GRANT, **credentials, "scope": "jobs"}), scope="jobs")


def test_a_basic_header_gets_a_token(client: FlaskClient, secret: str) -> None:
    assert_token(client.post("/auth/token", data=GRANT, headers=basic("checkout", secret)))
    named = {**GRANT, "client_id": "checkout"}
    assert_token(client.post("/auth/token", data=named, headers=basic("checkout", secret)))


def test_empty_parameters_count_as_left_out(client: FlaskClient, credentials: dict[str, str]) -> None:
    assert_token(client.post("/auth/token", data={**GRANT, **credentials, "scope": ""}))
    assert_token(client.post("/auth/token", json={**GRANT, **credentials, "scope": None}))


def test_the_token_opens_what_it_says(client: FlaskClient, worker: WebWorker) -> None:
    issued = worker.services.clients.create_admin(by="test")
    form = {**GRANT, "client_id": "admin", "client_secret": issued.secret}
    token = client.post("/auth/token", data=form).json["access_token"]

    assert client.get("/api/v1/clients", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "nul\0"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_id": "", "client_secret": ""}, 401, "invalid_client"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"scope": "root"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_wrong_parameters(
    client: FlaskClient, credentials: dict[str, str], changes: dict[str, str], status: int, error: str
) -> None:
    for body in ({"data": {**GRANT, **credentials, **changes}}, {"json": {**GRANT, **credentials, **changes}}):
        answer = client.post("/auth/token", **body)  # type: ignore[arg-type]

        assert_failure(answer, status, error)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "request_body",
    [
        {"data": {"grant_type": ["client_credentials", "client_credentials"]}},
        {"data": "<xml/>", "content_type": "application/xml"},
        {"data": b""},
        {"data": "{", "content_type": "application/json"},
        {"json": ["client_credentials"]},
        {"json": {"grant_type": {"a": 1}}},
        {"json": {"grant_type": "client_credentials", "client_id": 7, "client_secret": "x"}},
    ],
)
def test_unreadable_requests(client: FlaskClient, request_body: dict[str, Any]) -> None:
    assert_failure(client.post("/auth/token", **request_body), 400, "invalid_request")


def test_credentials_come_once(client: FlaskClient, credentials: dict[str, str], secret: str) -> None:
    twice = client.post("/auth/token", data={**GRANT, **credentials}, headers=basic("checkout", secret))
    other = client.post("/auth/token", data={**GRANT, "client_id": "search"}, headers=basic("checkout", secret))

    assert_failure(twice, 400, "invalid_request")
    assert_failure(other, 400, "invalid_request")


def test_other_methods_carry_oauth_members_too(client: FlaskClient) -> None:
    assert_failure(client.get("/auth/token"), 405, "invalid_request")


def test_a_revoked_token_is_refused(client: FlaskClient, worker: WebWorker, credentials: dict[str, str]) -> None:
    token = worker.token()
    headers = {"Authorization": f"Bearer {token}"}

    answer = client.post("/auth/revoke", data={"token": token, "token_type_hint": "access_token"})

    assert answer.status_code == 200
    assert client.get("/api/v1/models", headers=headers).json["code"] == "token_revoked"


def test_a_client_revokes_its_own_tokens_only(
    client: FlaskClient, worker: WebWorker, credentials: dict[str, str]
) -> None:
    own = client.post("/auth/token", data={**GRANT, **credentials}).json["access_token"]

    assert client.post("/auth/revoke", json={"token": own, **credentials}).status_code == 200
    assert_failure(client.post("/auth/revoke", json={"token": worker.token(), **credentials}), 401, "invalid_client")
    wrong = {"client_id": "checkout", "client_secret": "wrong"}
    assert_failure(client.post("/auth/revoke", json={"token": own, **wrong}), 401, "invalid_client")


def test_revoking_what_is_no_token_is_fine_and_nothing_is_not(client: FlaskClient) -> None:
    assert client.post("/auth/revoke", data={"token": "garbage"}).status_code == 200
    assert_failure(client.post("/auth/revoke", data={"token_type_hint": "x"}), 400, "invalid_request")


def test_while_sql_is_away_logins_are_503(client: FlaskClient, worker: WebWorker, credentials: dict[str, str]) -> None:
    worker.services.database.close()
    for path in worker.folder.glob("galley.db*"):
        path.unlink()
    (worker.folder / "galley.db").mkdir()

    answer = client.post("/auth/token", data={**GRANT, **credentials})

    assert_failure(answer, 503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
