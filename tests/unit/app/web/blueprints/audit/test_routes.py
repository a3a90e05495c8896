"""GET /api/v1/audit."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker

PATH = "/api/v1/audit"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer()


def actions(response: Any) -> list[str]:
    return [entry["action"] for entry in response.json]


def test_what_anybody_changed_is_listed(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    client.put("/api/v1/models/digits/aliases/next", json={"version": 1}, headers={**headers, "X-Request-ID": "move-1"})
    answer = client.get(PATH, headers=headers)

    assert actions(answer) == ["alias.set", "alias.set", "version.release", "client.create"]
    newest = answer.json[0]
    assert (newest["target"], newest["details"]["to"], newest["request_id"]) == ("digits/aliases/next", 1, "move-1")
    assert newest["actor"] != "test"
    assert answer.json[1]["actor"] == "test"


def test_clients_and_tokens_are_recorded_and_secrets_are_not(client: FlaskClient, headers: dict[str, str]) -> None:
    made = client.post("/api/v1/clients", json={"client_id": "shop", "scopes": ["infer"]}, headers=headers).json
    secret = client.post("/api/v1/clients/shop/secret", headers=headers).json["client_secret"]
    form = {"grant_type": "client_credentials", "client_id": "shop", "client_secret": secret}
    token = client.post("/auth/token", data=form).json["access_token"]
    client.post("/auth/revoke", data={"token": token})
    client.delete("/api/v1/clients/shop", headers=headers)
    answer = client.get(f"{PATH}?target=clients/shop", headers=headers)

    assert actions(answer) == ["client.delete", "token.revoke", "client.rotate", "client.create"]
    assert answer.json[1]["actor"] == "shop"
    assert answer.json[3]["details"] == {"scopes": ["infer"], "models": ["*"]}
    for hidden in (made["client_secret"], secret, token):
        assert hidden not in answer.text


def test_entries_are_narrowed_and_come_in_pages(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    for _ in range(3):
        worker.publish()

    page = client.get(f"{PATH}?actor=test&action=version.release&target=digits/&page_size=2", headers=headers)
    assert [entry["target"] for entry in page.json] == ["digits/versions/3", "digits/versions/2"]
    assert '"total":3' in page.headers["X-Pagination"].replace(" ", "")
    at = page.json[0]["at"].replace("+", "%2B")
    assert actions(client.get(f"{PATH}?since={at}&action=version.release", headers=headers)) == ["version.release"]
    assert len(client.get(f"{PATH}?until={at}&action=version.release", headers=headers).json) == 2
    assert client.get(f"{PATH}?page=999999", headers=headers).json == []


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-01-01",
        "since=0001-01-01T00:00:00%2B14:00",
        "until=2026-01-01T00:00:00",
        "until=9999-12-31T23:59:59-14:00",
        "actor=",
        "target=%00",
    ],
)
def test_what_cannot_be_looked_for_is_refused(client: FlaskClient, headers: dict[str, str], query: str) -> None:
    answer = client.get(f"{PATH}?{query}", headers=headers)

    assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]])


def test_only_admins_read_it_and_nobody_writes_it(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    other = worker.bearer(scopes=frozenset({"infer", "models:read", "models:write", "jobs"}))

    assert client.get(PATH, headers=other).json["code"] == "insufficient_scope"
    for verb in (client.post, client.put, client.patch, client.delete):
        assert verb(PATH, headers=headers).status_code == 405
