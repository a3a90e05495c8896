"""POST …/outcomes and GET …/experiment."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services.route_draft import RouteDraft, Variant
from tests.factories.web import WebWorker

OUTCOMES = "/api/v1/models/digits/outcomes"
EXPERIMENT = "/api/v1/models/digits/experiment"
GOOD = {"subject": "ann", "metric": "conversion", "value": 1}


@pytest.fixture
def revision(worker: WebWorker) -> int:
    """Give the model `digits` a route of one variant, and return its revision."""
    worker.publish()
    draft = RouteDraft(variants=[Variant(name="control", version=1, weight=1)])
    facts = worker.services.routes.put("digits", draft, by="test")
    worker.services.routing.refresh()
    return facts.revision


def post(client: FlaskClient, worker: WebWorker, body: Any, **caller: Any) -> Any:
    return client.post(OUTCOMES, json=body, headers=worker.bearer(**caller))


def test_an_outcome_is_recorded_and_read_out(worker: WebWorker, client: FlaskClient, revision: int) -> None:
    answer = post(client, worker, GOOD, scopes=frozenset({"infer"}))
    readout = client.get(EXPERIMENT, headers=worker.bearer(scopes=frozenset({"models:read"})))

    assert (answer.status_code, answer.json) == (201, {"outcomes": [{"revision": revision, "variant": "control"}]})
    assert readout.status_code == 200
    [control] = readout.json["variants"]
    assert control["outcomes"] == [
        {
            "metric": "conversion",
            "count": 1,
            "mean": 1.0,
            "interval": None,
            "difference": None,
            "note": "Too few values for an interval: at least 5 are needed.",
        }
    ]


def test_a_list_is_answered_in_its_order(worker: WebWorker, client: FlaskClient, revision: int) -> None:
    answer = post(client, worker, {"outcomes": [GOOD, {**GOOD, "subject": "bob"}, GOOD]})

    assert answer.json == {"outcomes": [{"revision": revision, "variant": "control"}] * 3}


def test_without_redis_the_readout_leaves_open_what_it_cannot_know(
    worker: WebWorker, client: FlaskClient, revision: int
) -> None:
    readout = client.get(EXPERIMENT, headers=worker.bearer()).json

    assert (readout["model"], readout["revision"], readout["is_current"]) == ("digits", revision, True)
    assert readout["notes"][0].startswith("Redis does not answer")
    assert readout["variants"] == [
        {
            "name": "control",
            "version": 1,
            "share": 1.0,
            "requests": None,
            "errors": None,
            "caller_errors": None,
            "error_rate": None,
            "latency_ms": {"p50": None, "p90": None, "p99": None},
            "subjects": None,
            "outcomes": [],
        }
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**GOOD, "value": "1"}, 422, "validation_failed"),
        ({**GOOD, "variant": "unheard-of"}, 404, "assignment_not_found"),
        ({"request_id": "r1", "metric": "m", "value": 1}, 503, "redis_unavailable"),
        ([], 422, "validation_failed"),
        ("x", 422, "validation_failed"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    worker: WebWorker, client: FlaskClient, revision: int, body: Any, status: int, code: str
) -> None:
    answer = post(client, worker, body)

    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_number_that_is_none_is_unreadable(worker: WebWorker, client: FlaskClient, revision: int) -> None:
    body = b'{"subject":"ann","metric":"m","value":NaN}'
    answer = client.post(OUTCOMES, data=body, content_type="application/json", headers=worker.bearer())

    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize("query", ["revision=0", "revision=x", "revision=2147483648"])
def test_what_is_no_revision_is_refused(worker: WebWorker, client: FlaskClient, revision: int, query: str) -> None:
    answer = client.get(f"{EXPERIMENT}?{query}", headers=worker.bearer())

    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")


def test_a_client_bound_to_other_models_is_refused(worker: WebWorker, client: FlaskClient, revision: int) -> None:
    answers = [
        post(client, worker, GOOD, models=("fraud*",)),
        client.get(EXPERIMENT, headers=worker.bearer(models=("fraud*",))),
    ]

    assert [answer.json["code"] for answer in answers] == ["model_not_allowed"] * 2


def test_a_model_without_a_route_has_no_experiment(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()

    assert client.get(EXPERIMENT, headers=worker.bearer()).json["code"] == "traffic_route_not_found"
    assert post(client, worker, GOOD).json["code"] == "assignment_not_found"
