"""Admins make, list, rotate and delete clients; nobody else does."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker

NEW = {"client_id": "checkout", "scopes": ["jobs", "infer"], "models": ["fraud*"], "description": "The checkout team"}


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer(scopes=frozenset({"admin"}))


def test_a_new_client_is_shown_with_its_secret_once(
    client: FlaskClient, worker: WebWorker, headers: dict[str, str]
) -> None:
    answer = client.post("/api/v1/clients", json=NEW, headers=headers)

    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json
    assert made["scopes"] == ["infer", "jobs"]
    assert made["models"] == ["fraud*"]
    assert made["created_at"].endswith("+00:00")
    assert worker.services.tokens.authenticate("checkout", made["client_secret"])
    assert made["client_secret"] not in client.get("/api/v1/clients", headers=headers).text


def test_a_client_needs_no_more_than_scopes(client: FlaskClient, headers: dict[str, str]) -> None:
    made = client.post("/api/v1/clients", json={"scopes": ["infer"]}, headers=headers).json

    assert made["client_id"].startswith("client-")
    assert made["models"] == ["*"]
    assert made["description"] == ""


def test_an_id_is_taken_once(client: FlaskClient, headers: dict[str, str]) -> None:
    client.post("/api/v1/clients", json=NEW, headers=headers)

    answer = client.post("/api/v1/clients", json=NEW, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (409, "client_exists")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_id": "a b"}, "client_id"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": "infer"}, "scopes"),
        ({"models": ["../x"]}, "models"),
        ({"description": 7}, "description"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_wrong_fields_are_named(
    client: FlaskClient, headers: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    answer = client.post("/api/v1/clients", json={**NEW, **changes}, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert field in {name.split(".")[0] for name in answer.json["errors"]}


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"scopes": NaN}', b'{"description": "\\ud800"}', b"[" * 100_000])
def test_unreadable_bodies_are_400(client: FlaskClient, headers: dict[str, str], body: bytes) -> None:
    answer = client.post("/api/v1/clients", data=body, headers=headers, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize(("body", "field"), [(b"", "scopes"), (b"[]", "body"), (b'"x"', "body"), (b"null", "body")])
def test_bodies_of_another_kind_are_422(client: FlaskClient, headers: dict[str, str], body: bytes, field: str) -> None:
    answer = client.post("/api/v1/clients", data=body, headers=headers, content_type="application/json")

    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]


def test_lists_come_in_pages(client: FlaskClient, headers: dict[str, str]) -> None:
    for client_id in ("a", "b", "c"):
        client.post("/api/v1/clients", json={**NEW, "client_id": client_id}, headers=headers)

    answer = client.get("/api/v1/clients?page=2&page_size=2", headers=headers)

    assert answer.json[0]["client_id"] == "c"
    assert '"total": 4' in answer.headers["X-Pagination"]


@pytest.mark.parametrize("page", [2, 2**63, 10**30])
def test_pages_behind_the_last_are_empty(client: FlaskClient, headers: dict[str, str], page: int) -> None:
    answer = client.get("/api/v1/clients", query_string={"page": page}, headers=headers)

    assert (answer.status_code, answer.json) == (200, [])
    assert '"total": 1' in answer.headers["X-Pagination"]


def test_a_deleted_client_is_gone_with_its_tokens(
    client: FlaskClient, worker: WebWorker, headers: dict[str, str]
) -> None:
    made = client.post("/api/v1/clients", json=NEW, headers=headers).json
    token = worker.services.tokens.issue("checkout", made["client_secret"]).access_token

    assert client.delete("/api/v1/clients/checkout", headers=headers).status_code == 204

    refused = client.get("/api/v1/models", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")
    assert client.delete("/api/v1/clients/checkout", headers=headers).json["code"] == "client_not_found"


def test_a_rotated_secret_works_beside_the_old_one(
    client: FlaskClient, worker: WebWorker, headers: dict[str, str]
) -> None:
    old = client.post("/api/v1/clients", json=NEW, headers=headers).json["client_secret"]

    answer = client.post("/api/v1/clients/checkout/secret", headers=headers)

    assert answer.status_code == 200
    for secret in (old, answer.json["client_secret"]):
        assert worker.services.tokens.authenticate("checkout", secret).client_id == "checkout"


@pytest.mark.parametrize("path", ["/api/v1/clients/nobody/secret", "/api/v1/clients/%00/secret"])
def test_unknown_clients_are_404(client: FlaskClient, headers: dict[str, str], path: str) -> None:
    assert client.post(path, headers=headers).json["code"] == "client_not_found"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/clients"),
        ("POST", "/api/v1/clients"),
        ("DELETE", "/api/v1/clients/admin"),
        ("POST", "/api/v1/clients/admin/secret"),
    ],
)
def test_admins_only(client: FlaskClient, worker: WebWorker, method: str, path: str) -> None:
    others = worker.bearer(scopes=frozenset({"infer", "jobs", "models:read", "models:write"}))

    assert client.open(path, method=method).status_code == 401
    assert client.open(path, method=method, headers=others).status_code == 403
