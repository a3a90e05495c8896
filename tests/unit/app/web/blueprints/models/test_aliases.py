"""/api/v1/models/{name}/aliases and below."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker

PATH = "/api/v1/models/digits/aliases"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """Headers of a client that may change models; digits/1, the default, and digits/2 are there."""
    worker.publish()
    worker.publish()
    return worker.bearer(scopes=frozenset({"models:read", "models:write"}))


def test_an_alias_moves_and_the_next_request_follows(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    moved = client.put(f"{PATH}/default", json={"version": 2, "why": "better"}, headers=headers)
    worker.services.routing.refresh()

    assert moved.status_code == 200
    assert (moved.json["alias"], moved.json["version"], moved.json["previous_version"]) == ("default", 2, 1)
    assert worker.services.routing.resolve("digits").ref.version == 2
    assert client.get(f"{PATH}/default", headers=headers).json == moved.json
    assert client.get(PATH, headers=headers).json == [moved.json]


@pytest.mark.parametrize("version", [1, "1", "default"])
def test_a_version_is_named_by_number_or_alias(client: FlaskClient, headers: dict[str, str], version: Any) -> None:
    assert client.put(f"{PATH}/stable", json={"version": version}, headers=headers).json["version"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_failed"),
        ({"version": None}, 422, "validation_failed"),
        ({"version": 1.5}, 422, "validation_failed"),
        ({"version": True}, 422, "validation_failed"),
        ({"version": 0}, 422, "validation_failed"),
        ({"version": 2**31}, 422, "validation_failed"),
        ({"version": ""}, 422, "validation_failed"),
        ({"version": [1]}, 422, "validation_failed"),
        ({"version": 3}, 404, "version_not_found"),
        ({"version": "gone"}, 404, "version_not_found"),
        ({"version": "\0"}, 404, "version_not_found"),
        ({"version": 1, "why": "x" * 513}, 422, "validation_failed"),
        ({"version": 2, "expected": 2}, 409, "alias_moved"),
        ({"version": 2, "expected": -1}, 422, "validation_failed"),
        ({"version": 2, "more": 1}, 422, "validation_failed"),
    ],
)
def test_a_move_that_cannot_be_made_is_refused(
    client: FlaskClient, headers: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.put(f"{PATH}/default", json=body, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert client.get(f"{PATH}/default", headers=headers).json["version"] == 1


def test_the_history_tells_who_when_from_to_and_why(client: FlaskClient, headers: dict[str, str]) -> None:
    client.put(f"{PATH}/next", json={"version": 1}, headers=headers)
    client.put(f"{PATH}/next", json={"version": 2, "why": "better"}, headers=headers)
    client.delete(f"{PATH}/next?why=it+was+worse", headers=headers)

    answer = client.get(f"{PATH}/next/history?page_size=2", headers=headers)
    steps = [(step["from"], step["to"], step["why"]) for step in answer.json]
    assert steps == [(2, None, "it was worse"), (1, 2, "better")]
    assert '"total":3' in answer.headers["X-Pagination"].replace(" ", "")
    assert set(answer.json[0]) == {"at", "by", "from", "to", "why"}
    assert client.get(f"{PATH}/next/history?page=9", headers=headers).json == []


def test_an_alias_is_deleted_unless_callers_need_it(client: FlaskClient, headers: dict[str, str]) -> None:
    client.put(f"{PATH}/next", json={"version": 2}, headers=headers)

    assert client.delete(f"{PATH}/next", headers=headers).status_code == 204
    assert client.delete(f"{PATH}/next", headers=headers).json["code"] == "alias_not_found"
    assert client.delete(f"{PATH}/default", headers=headers).json["code"] == "alias_in_use"


@pytest.mark.parametrize("path", ["/gone", "/gone/history", "/%00", "/%00/history"])
def test_an_unknown_alias_is_not_found(client: FlaskClient, headers: dict[str, str], path: str) -> None:
    assert client.get(f"{PATH}{path}", headers=headers).json["code"] == "alias_not_found"


def test_a_name_that_no_version_may_have_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.put(f"{PATH}/2", json={"version": 1}, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_name")


def test_readers_and_clients_of_other_models_change_nothing(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()
    reader = worker.bearer(scopes=frozenset({"models:read"}))
    bound = worker.bearer(models=("flow*",))

    for verb in (client.put, client.delete):
        assert verb(f"{PATH}/default", json={"version": 1}, headers=reader).json["code"] == "insufficient_scope"
        assert verb(f"{PATH}/default", json={"version": 1}, headers=bound).json["code"] == "model_not_allowed"
    for path in ("", "/default", "/default/history"):
        assert client.get(f"{PATH}{path}", headers=bound).json["code"] == "model_not_allowed"


def test_unchanged_aliases_are_not_sent_again(client: FlaskClient, headers: dict[str, str]) -> None:
    for path in (PATH, f"{PATH}/default"):
        tag = client.get(path, headers=headers).headers["ETag"]
        assert client.get(path, headers={**headers, "If-None-Match": tag}).status_code == 304


def test_an_alias_says_how_long_answers_are_kept(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    shown = client.get(f"{PATH}/default", headers=headers).json["cache_ttl_s"]
    put = [
        client.put(f"{PATH}/default", json={"version": 1, **body}, headers=headers).json["cache_ttl_s"]
        for body in ({"cache_ttl_s": 300}, {}, {"cache_ttl_s": 0}, {"cache_ttl_s": None})
    ]

    assert (shown, put) == (None, [300, 300, 0, None])


@pytest.mark.parametrize("cache_ttl_s", [-1, 1.5, "60", True, 2592001])
def test_a_time_to_keep_answers_is_whole_seconds(
    client: FlaskClient, headers: dict[str, str], cache_ttl_s: Any
) -> None:
    answer = client.put(f"{PATH}/default", json={"version": 1, "cache_ttl_s": cache_ttl_s}, headers=headers)

    assert (answer.status_code, list(answer.json["errors"])) == (422, ["cache_ttl_s"])
