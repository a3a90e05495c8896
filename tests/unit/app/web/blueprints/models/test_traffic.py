"""/api/v1/models/{name}/route and below."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker

PATH = "/api/v1/models/digits/route"
INFERENCE = "/api/v1/images/classifications"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """Headers of a client that may do all but administer; digits/1, the default, and digits/2 are there."""
    worker.publish()
    worker.publish()
    return worker.bearer(scopes=frozenset({"models:read", "models:write", "infer"}))


def route(*, weights: tuple[Any, Any] = (1, 0), version: Any = 2, **members: Any) -> dict[str, Any]:
    variants = [
        {"name": "control", "version": "default", "weight": weights[0]},
        {"name": "candidate", "version": version, "weight": weights[1]},
    ]
    return {"variants": variants, **members}


def test_a_route_is_put_read_and_taken_away(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get(PATH, headers=headers).json["code"] == "traffic_route_not_found"

    put = client.put(PATH, json=route(weights=(3, 1), sticky_by="subject", salt="s"), headers=headers)
    read = client.get(PATH, headers=headers)

    assert (put.status_code, put.json) == (200, read.json)
    assert {name: read.json[name] for name in ("salt", "sticky_by", "overrides", "revision", "shares")} == {
        "salt": "s",
        "sticky_by": "subject",
        "overrides": [],
        "revision": 1,
        "shares": {"control": 0.75, "candidate": 0.25},
    }
    assert client.get(PATH, headers={**headers, "If-None-Match": read.headers["ETag"]}).status_code == 304
    assert client.delete(PATH, headers=headers).status_code == 204
    assert client.delete(PATH, headers=headers).status_code == 404


def test_what_was_read_can_be_put_again(client: FlaskClient, headers: dict[str, str]) -> None:
    overrides = [{"client": "c", "variant": "control"}, {"subject": "s", "variant": "candidate"}]
    read = client.put(PATH, json=route(overrides=overrides), headers=headers).json
    sent = {name: read[name] for name in ("variants", "sticky_by", "salt", "overrides")}

    assert client.put(PATH, json=sent, headers=headers).json == read
    assert read["overrides"] == overrides


def test_the_answer_names_the_variant(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    body = route(weights=(1, 0), overrides=[{"subject": "Zoë", "variant": "candidate"}])
    client.put(PATH, json=body, headers=headers)
    worker.services.routing.refresh()

    usual = client.post(INFERENCE, data=b"raw", headers=headers)
    vip = client.post(INFERENCE, data=b"raw", headers={**headers, "X-Subject": "Zoë".encode().decode("latin-1")})
    named = client.post(f"{INFERENCE}?version=2", data=b"raw", headers=headers)

    assert (usual.headers["X-Variant"], usual.json["model"]["version"]) == ("control", 1)
    assert (vip.headers["X-Variant"], vip.json["model"]) == (
        "candidate",
        {"name": "digits", "version": 2, "variant": "candidate"},
    )
    assert "X-Variant" not in named.headers
    assert named.json["model"]["variant"] is None


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "validation_failed", "variants"),
        ({"variants": []}, "validation_failed", "variants"),
        ({"variants": [5] * 100_000}, "validation_failed", "variants"),
        (route(weights=(0, 0)), "invalid_weights", "variants"),
        (route(weights=(1, -1)), "invalid_weights", "variants.1.weight"),
        (route(weights=("1", 1)), "validation_failed", "variants.0.weight"),
        (route(weights=(1, True)), "validation_failed", "variants.1.weight"),
        (route(weights=(1, None)), "validation_failed", "variants.1.weight"),
        (route(weights=(1, "much")), "validation_failed", "variants.1.weight"),
        (route(version=9), "validation_failed", "variants.1.version"),
        (route(version="gone"), "validation_failed", "variants.1.version"),
        (route(version=None), "validation_failed", "variants.1.version"),
        (route(sticky_by="client"), "validation_failed", "sticky_by"),
        (route(salt=""), "validation_failed", "salt"),
        (route(overrides=[{"client": "c", "variant": "gone"}]), "validation_failed", "overrides.0.variant"),
        (route(overrides=[{"variant": "control"}]), "validation_failed", "overrides.0"),
        (route(more=1), "validation_failed", "more"),
    ],
)
def test_a_route_that_cannot_work_is_refused_by_field(
    client: FlaskClient, headers: dict[str, str], body: dict[str, Any], code: str, field: str
) -> None:
    answer = client.put(PATH, json=body, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert list(answer.json["errors"]) == [field]
    assert client.get(PATH, headers=headers).status_code == 404


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "1e999", "-1e999"])
def test_weights_that_json_does_not_know_are_unreadable(
    client: FlaskClient, headers: dict[str, str], weight: str
) -> None:
    body = f'{{"variants": [{{"name": "a", "version": 1, "weight": {weight}}}]}}'
    answer = client.put(PATH, data=body, headers={**headers, "Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert client.get(PATH, headers=headers).status_code == 404


def test_the_choice_is_explained(client: FlaskClient, headers: dict[str, str]) -> None:
    overrides = [{"client": "checkout", "variant": "candidate"}, {"subject": "vip", "variant": "candidate"}]
    client.put(PATH, json=route(overrides=overrides, salt="salt"), headers=headers)

    def explain(query: str) -> dict[str, Any]:
        explained: dict[str, Any] = client.get(f"{PATH}/explain?{query}", headers=headers).json
        return explained

    assert explain("subject=user-1&client=other") == {
        "variant": "control",
        "version": 1,
        "why": "bucket",
        "detail": "Subject 'user-1' is in bucket 2683 of 10000, which variant 'control' has.",
        "subject": "user-1",
        "client": "other",
        "bucket": 2683,
        "revision": 1,
    }
    assert explain("client=checkout")["why"] == "override_client"
    assert explain("subject=vip")["detail"] == "An override gives subject 'vip' the variant 'candidate'."
    assert explain("")["subject"] == explain("")["client"]


def test_without_a_route_nothing_is_explained(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get(f"{PATH}/explain?subject=a", headers=headers)
    too_long = client.get(f"{PATH}/explain?subject={'x' * 129}", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (404, "traffic_route_not_found")
    assert too_long.status_code == 422


def test_readers_and_clients_of_other_models_change_nothing(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()
    reader = worker.bearer(scopes=frozenset({"models:read"}))
    bound = worker.bearer(models=("flow*",))

    for verb in (client.put, client.delete):
        assert verb(PATH, json=route(version=1), headers=reader).json["code"] == "insufficient_scope"
        assert verb(PATH, json=route(version=1), headers=bound).json["code"] == "model_not_allowed"
    for path in ("", "/explain"):
        assert client.get(PATH + path, headers=bound).json["code"] == "model_not_allowed"
