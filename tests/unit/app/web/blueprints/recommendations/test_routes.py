"""POST /api/v1/recommendations, from the request's bytes to the answer's, through Flask and in front of it."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import QueueFull
from app.scenarios.recommendations import RankingRow, decode_row
from app.web.fast_path.hot_routes import hot_request
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

PATH = "/api/v1/recommendations"
# A query is Flask's.
BOTH_WAYS = pytest.mark.parametrize("path", [PATH, f"{PATH}?model=recommender"], ids=["fast path", "Flask"])
MODEL = {"name": "recommender", "version": 1, "variant": None}


def ranked(row: bytes, _top_k: int = 0) -> bytes:
    """Answer a row with items that tell what was asked."""
    asked = decode_row(row)
    items = [{"item_id": asked.user_id * 10 + rank, "score": 1.0 / (rank + 1)} for rank in range(asked.k)]
    return json.dumps({"user_id": asked.user_id, "items": items, "cold_start": False}).encode()


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    worker.inference.answer = ranked
    worker.publish(name="recommender", manifest=make_manifest(task="ranking"))
    return worker.bearer(scopes=frozenset({"infer"}))


def rows_asked(worker: WebWorker) -> list[RankingRow]:
    return [decode_row(row) for call in worker.inference.calls for row in call.rows]


def test_only_a_query_needs_flask() -> None:
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "CONTENT_LENGTH": "13"}

    assert hot_request(environ) is not None
    assert hot_request({**environ, "QUERY_STRING": "model=recommender"}) is None


@BOTH_WAYS
def test_one_user_gets_items(worker: WebWorker, client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    response = client.post(path, json={"user_id": 7, "k": 2, "exclude": [9, 3]}, headers=headers)

    assert (response.status_code, response.content_type) == (200, "application/json")
    items = [{"item_id": 70, "score": 1.0}, {"item_id": 71, "score": 0.5}]
    assert response.json == {"user_id": 7, "items": items, "cold_start": False, "model": MODEL}
    assert rows_asked(worker) == [RankingRow(7, 2, [3, 9])]
    assert worker.inference.calls[0].parameters == {}


@BOTH_WAYS
def test_several_users_are_one_call_of_the_runner(
    worker: WebWorker, client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    response = client.post(path, json={"user_ids": [5, 3, 8], "k": 1}, headers=headers)

    assert [result["user_id"] for result in response.json["results"]] == [5, 3, 8]
    assert (len(worker.inference.calls), len(rows_asked(worker))) == (1, 3)
    assert response.headers["X-Model-Name"] == "recommender"


def test_caller_chooses_model_and_version(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for _ in range(2):
        worker.publish(name="books", manifest=make_manifest(task="ranking"))

    response = client.post(f"{PATH}?model=books&version=2", json={"user_id": 7}, headers=headers)

    assert response.json["model"] == {"name": "books", "version": 2, "variant": None}


def test_the_setting_names_the_model(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    assert worker.services.settings.recommendations_model == "recommender"

    assert client.post(PATH, json={"user_id": 7}, headers=headers).json["model"] == MODEL


@BOTH_WAYS
@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_called_so_in_other_ways(
    client: FlaskClient, path: str, headers: dict[str, str], content_type: str
) -> None:
    response = client.post(path, data=b'{"user_id":7}', headers={**headers, "Content-Type": content_type})

    assert response.status_code == 200


REFUSED: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"data": b""}, (400, "empty_body")),
    ({"data": b"{"}, (400, "unreadable_body")),
    ({"data": b'{"user_id":NaN}'}, (400, "unreadable_body")),
    ({"data": b'{"x":' * 5000}, (400, "unreadable_body")),
    ({"data": b'{"user_id":1}', "content_type": "text/plain"}, (415, "unsupported_media_type")),
    ({"data": b'{"user_id":1}', "content_type": "application/x-www-form-urlencoded"}, (415, "unsupported_media_type")),
    ({"data": b'{"user_id":1}', "content_type": "multipart/form-data"}, (415, "unsupported_media_type")),
    ({"data": b'{"user_id":1}', "content_type": ""}, (415, "unsupported_media_type")),
    ({"data": b" " * 10_000_000 + b'{"user_id":1}'}, (413, "body_too_large")),
    ({"json": {"user_id": None}}, (422, "validation_failed")),
]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("body", "wanted"), REFUSED, ids=[f"{wanted} {place}" for place, (_, wanted) in enumerate(REFUSED)]
)
def test_body_that_asks_for_nothing_is_refused(
    worker: WebWorker,
    client: FlaskClient,
    path: str,
    headers: dict[str, str],
    body: dict[str, Any],
    wanted: tuple[int, str],
) -> None:
    body = {"content_type": "application/json", **body}

    response = client.post(path, headers=headers, **body)

    assert (response.status_code, response.json["code"]) == wanted
    assert worker.inference.calls == []


def test_a_body_too_large_is_told_what_it_has_too_much_of(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, json={"user_id": 1, "exclude": list(range(10**6))}, headers=headers)

    assert response.status_code == 413
    assert "1048576 bytes: user_ids takes at most 256 ids, exclude 1000." in response.json["detail"]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"user_id": "seven"}, "user_id"),
        ({"user_ids": list(range(257))}, "user_ids"),
        ({"user_ids": [4, 4]}, "user_ids"),
        ({"user_id": 7, "k": "ten"}, "k"),
        ({"user_id": 7, "k": 1001}, "k"),
        ({"user_id": 7, "exclude": list(range(1001))}, "exclude"),
        ({"user_id": 7, "exclude": list(range(100_000))}, "exclude"),
        ({"user_id": 7, "top": 1}, "top"),
    ],
)
def test_wrong_field_is_named(
    client: FlaskClient, path: str, headers: dict[str, str], members: dict[str, Any], field: str
) -> None:
    response = client.post(path, json=members, headers=headers)

    assert (response.status_code, list(response.json["errors"])) == (422, [field])


@pytest.mark.parametrize(("query", "field"), [("model=", "model"), (f"version={'9' * 5000}", "version")])
def test_wrong_query_is_named(client: FlaskClient, headers: dict[str, str], query: str, field: str) -> None:
    response = client.post(f"{PATH}?{query}", json={"user_id": 7}, headers=headers)

    assert (response.status_code, list(response.json["errors"])) == (422, [field])


def test_model_of_another_task_is_refused(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()

    response = client.post(f"{PATH}?model=digits", json={"user_id": 7}, headers=headers)

    assert (response.status_code, response.json["code"]) == (409, "wrong_task")


def test_model_that_is_not_there_is_404(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(f"{PATH}?model=unheard-of", json={"user_id": 7}, headers=headers)

    assert (response.status_code, response.json["code"]) == (404, "model_not_found")


@BOTH_WAYS
def test_client_bound_to_other_models_is_refused(
    worker: WebWorker, client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    response = client.post(path, json={"user_id": 7}, headers=worker.bearer(models=("digits",)))

    assert (response.status_code, response.json["code"]) == (403, "model_not_allowed")


@BOTH_WAYS
def test_caller_needs_the_scope(worker: WebWorker, client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    response = client.post(path, json={"user_id": 7}, headers=worker.bearer(scopes=frozenset({"jobs"})))

    assert (response.status_code, response.json["code"]) == (403, "insufficient_scope")


@BOTH_WAYS
def test_overload_says_when_to_come_back(
    worker: WebWorker, client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    worker.inference.error = QueueFull("Full.", retry_after_s=2.2)

    response = client.post(path, json={"user_id": 7}, headers=headers)

    assert (response.status_code, response.json["code"], response.headers["Retry-After"]) == (503, "queue_full", "3")


def test_a_route_keeps_a_user_with_one_variant(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="recommender", manifest=make_manifest(task="ranking"))
    variants = [{"name": name, "version": version, "weight": 1} for name, version in (("a", "1"), ("b", "2"))]
    put = client.put("/api/v1/models/recommender/route", json={"variants": variants}, headers=worker.bearer())
    assert put.status_code in {200, 201}, put.text
    worker.services.routing.refresh()

    def variant(user_id: int, **more: str) -> str:
        answer = client.post(PATH, json={"user_id": user_id}, headers={**headers, **more})
        return str(answer.json["model"]["variant"])

    chosen = [variant(user_id) for user_id in range(40)]

    assert [variant(user_id) for user_id in range(40)] == chosen
    assert set(chosen) == {"a", "b"}
    assert {variant(user_id, **{"X-Subject": "somebody"}) for user_id in range(40)} in ({"a"}, {"b"})
