"""POST /api/v1/fraud/scores, from the request's bytes to the answer's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import QueueFull, RedisUnavailable, SequenceMoved
from app.services.route_draft import RouteDraft, Variant
from app.web.blueprints.fraud.routes import LARGEST_EVENT_BYTES
from tests.factories.job_posts import input_of, job_of
from tests.factories.payments import MEMBERS
from tests.factories.scored_events import FRAUD, event_body, publish_scoring_model
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

MODEL = {"name": "fraud", "version": 1, "variant": None}
HOSTILE_ID = 'a:b\n"\\\u202e\x00\N{SAILBOAT}'


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """The headers of a client that may infer, and nothing else."""
    publish_scoring_model(worker)
    return {**worker.bearer(scopes=frozenset({"infer"})), "Content-Type": "application/json"}


def test_a_payment_gets_its_score(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(FRAUD, json={"event": MEMBERS}, headers=headers)

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {
        "event_id": "e-1",
        "score": 0.75,
        "decision": "review",
        "reasons": [{"feature": "a-1 at m-1", "effect": 12.5}],
        "model": MODEL,
    }
    assert (response.headers["X-Model-Name"], response.headers["X-Model-Version"]) == ("fraud", "1")
    assert response.headers["Server-Timing"].startswith("queue;dur=1.00, compute;dur=2.00, total;dur=")
    assert (response.headers["Cache-Control"], "X-Cache" in response.headers) == ("no-store", False)
    assert "X-RateLimit-Remaining" in response.headers


def test_ids_come_back_as_they_were_sent(client: FlaskClient, headers: dict[str, str]) -> None:
    body = event_body(event_id=HOSTILE_ID, account_id=HOSTILE_ID)

    answer = client.post(FRAUD, data=body, headers=headers).json

    assert (answer["event_id"], answer["reasons"][0]["feature"]) == (HOSTILE_ID, f"{HOSTILE_ID} at m-1")


def test_caller_chooses_model_and_version(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for _ in range(2):
        publish_scoring_model(worker, name="cards")

    response = client.post(f"{FRAUD}?model=cards&version=2", data=event_body(), headers=headers)

    assert response.json["model"] == {"name": "cards", "version": 2, "variant": None}


REFUSED: list[tuple[bytes, tuple[int, str]]] = [
    (b"", (400, "empty_body")),
    (b"{", (400, "unreadable_body")),
    (b"\xff\xfe", (400, "unreadable_body")),
    (b'{"event":{"amount":NaN}}', (400, "unreadable_body")),
    (event_body().replace(b"12.5", b"1e999"), (400, "unreadable_body")),
    (event_body().replace(b"a-1", b"\\ud800"), (400, "unreadable_body")),
    (b'{"event":' * 500, (400, "unreadable_body")),
    (b"null", (422, "validation_failed")),
    (b"[]", (422, "validation_failed")),
    (b'{"event":[]}', (422, "validation_failed")),
    (b'{"events":[]}', (422, "validation_failed")),
    (b" " * (LARGEST_EVENT_BYTES + 1), (413, "body_too_large")),
]


def test_body_that_brings_no_event_is_refused(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for body, wanted in REFUSED:
        response = client.post(FRAUD, data=body, headers=headers)
        assert (response.status_code, response.json["code"]) == wanted, body[:80]

    assert worker.inference.calls == []


def test_body_is_called_json(client: FlaskClient, headers: dict[str, str]) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = client.post(FRAUD, data=event_body(), headers={**headers, "Content-Type": content_type})
        assert (response.status_code, response.json["code"]) == (415, "unsupported_media_type")


TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
WRONG: list[dict[str, Any]] = [
    {"event_id": ""}, {"event_id": 7}, {"event_id": "x" * 129}, {"event_id": None}, {"account_id": None},
    {"account_id": []}, {"merchant_id": {}}, {"amount": -1}, {"amount": -1e-9}, {"amount": 1e308}, {"amount": "12"},
    {"amount": True}, {"amount": None}, {"currency": "USD"}, {"currency": None}, {"occurred_at": TOMORROW},
    {"occurred_at": "1970-01-01T00:00:00Z"}, {"occurred_at": "2100-01-01T00:00:00Z"}, {"occurred_at": "garbage"},
    {"occurred_at": "2026-01-05T00:00:00"}, {"occurred_at": 1767571200}, {"occurred_at": None}, {"channel": ""},
    {"channel": 1}, {"country": "x" * 33}, {"unheard_of": 1},
]  # fmt: skip


def test_wrong_field_is_named(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for changes in WRONG:
        response = client.post(FRAUD, data=event_body(**changes), headers=headers)
        assert (response.status_code, response.json["code"]) == (422, "validation_failed"), changes
        assert list(response.json["errors"]) == list(changes)

    assert worker.inference.calls == []


def test_wrong_query_is_named(client: FlaskClient, headers: dict[str, str]) -> None:
    for query, field in (("model=", "model"), (f"version={'9' * 5000}", "version")):
        response = client.post(f"{FRAUD}?{query}", data=event_body(), headers=headers)
        assert (response.status_code, list(response.json["errors"])) == (422, [field])


def test_models_that_cannot_score_are_refused(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()

    answers = [
        client.post(f"{FRAUD}?model={model}", data=event_body(), headers=headers) for model in ("digits", "unheard-of")
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [
        (409, "wrong_task"), (404, "model_not_found"),
    ]  # fmt: skip


def test_caller_must_be_allowed_to(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    bound, scopeless = worker.bearer(models=("digits",)), worker.bearer(scopes=frozenset({"jobs"}))

    for bearer, code in ((bound, "model_not_allowed"), (scopeless, "insufficient_scope")):
        response = client.post(FRAUD, data=event_body(), headers={**headers, **bearer})
        assert (response.status_code, response.json["code"]) == (403, code)


def test_what_may_go_better_later_says_when(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for error in (QueueFull("Full."), RedisUnavailable("Away."), SequenceMoved()):
        worker.inference.error = error
        response = client.post(FRAUD, data=event_body(), headers=headers)
        assert (response.status_code, response.json["code"], response.json["retryable"]) == (503, error.code, True)
        assert response.headers["Retry-After"] == "1"


def test_nothing_is_kept_for_who_takes_kept_answers_only(client: FlaskClient, headers: dict[str, str]) -> None:
    client.post(FRAUD, data=event_body(), headers=headers)

    response = client.post(FRAUD, data=event_body(), headers={**headers, "Cache-Control": "only-if-cached"})

    assert (response.status_code, response.json["code"]) == (504, "not_cached")


def test_heavy_models_and_who_prefers_it_get_a_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    heavy = make_manifest(task="sequence-scoring", execution="heavy")
    publish_scoring_model(worker, name="slow", manifest=heavy)
    keyed = {**headers, "Prefer": "respond-async", "Idempotency-Key": "k"}

    preferred, again = (client.post(FRAUD, data=event_body(), headers=keyed) for _ in range(2))
    forced = client.post(f"{FRAUD}?model=slow", data=event_body(), headers=headers)

    assert [answer.status_code for answer in (preferred, again, forced)] == [202] * 3
    assert ["Preference-Applied" in answer.headers for answer in (preferred, forced)] == [True, False]
    assert (again.json, again.headers["Idempotency-Replayed"]) == (preferred.json, "true")
    jobs = [job_of(worker, answer) for answer in (preferred, forced)]
    assert [(job.kind, job.model_name, job.total) for job in jobs] == [("fraud", "fraud", 1), ("fraud", "slow", 1)]
    assert [input_of(worker, job.id) for job in jobs] == [event_body()] * 2
    assert worker.inference.calls == []


def test_a_route_keeps_an_account_with_one_variant(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    publish_scoring_model(worker)
    variants = [Variant(name=f"v{version}", version=version, weight=1) for version in (1, 2)]
    worker.services.routes.put("fraud", RouteDraft(variants=variants), by="test")
    worker.services.routing.refresh()

    def variant(account: int, **more: str) -> str:
        body = event_body(account_id=f"account-{account}")
        return str(client.post(FRAUD, data=body, headers={**headers, **more}).headers["X-Variant"])

    chosen = [variant(account) for account in range(24)]

    assert [variant(account) for account in range(24)] == chosen
    assert set(chosen) == {"v1", "v2"}
    assert [variant(account, Prefer="respond-async") for account in range(8)] == chosen[:8]
    assert len({variant(account, **{"X-Subject": "somebody"}) for account in range(24)}) == 1
