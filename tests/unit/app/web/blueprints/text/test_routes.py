"""POST /api/v1/text/classifications, from the request's bytes to the answer's."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import QueueFull
from app.scenarios.text import MAX_TEXT_BYTES
from app.web.blueprints.text.routes import LARGEST_BODY_BYTES
from tests.factories.classified_texts import TEXTS, publish_text_model, result_of
from tests.factories.job_posts import job_of
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.inference import NOT_AN_IMAGE

MODEL = {"name": "text", "version": 1, "variant": None}


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """The headers of a client that may infer, and nothing else."""
    publish_text_model(worker)
    return {**worker.bearer(scopes=frozenset({"infer"})), "Content-Type": "application/json"}


def test_one_text_gets_its_labels(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(f"{TEXTS}?top_k=3", json={"text": "Grüße \N{SAILBOAT}"}, headers=headers)

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {"results": [result_of("Grüße \N{SAILBOAT}", 3)], "model": MODEL}
    assert (response.headers["X-Model-Name"], response.headers["X-Model-Version"]) == ("text", "1")
    assert response.headers["X-Cache"] == "miss"


def test_many_texts_are_answered_in_order(client: FlaskClient, headers: dict[str, str]) -> None:
    texts = [f"{number}th text" for number in range(256)]

    answer = client.post(TEXTS, json={"texts": texts}, headers=headers).json

    assert answer["results"] == [result_of(text) for text in texts]


def test_of_several_texts_one_fails_alone(client: FlaskClient, headers: dict[str, str]) -> None:
    bad = NOT_AN_IMAGE.decode()

    several = client.post(TEXTS, json={"texts": ["good", bad, "good, too"]}, headers=headers).json["results"]
    alone = client.post(TEXTS, json={"text": bad}, headers=headers)

    assert [several[0], several[2]] == [result_of("good"), result_of("good, too")]
    assert several[1] == {"error": {"code": "unsupported_image", "detail": "The bytes are not an image."}}
    assert (alone.status_code, alone.json["code"]) == (415, "unsupported_image")


def test_only_texts_that_nobody_asked_for_are_asked(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    client.post(TEXTS, json={"texts": ["a", "b"]}, headers=headers)
    partly = client.post(TEXTS, json={"texts": ["b", "c", "a"]}, headers=headers)
    again = client.post(TEXTS, json={"text": "c"}, headers=headers)

    assert [list(call.rows) for call in worker.inference.calls] == [[b"a", b"b"], [b"c"]]
    assert partly.json["results"] == [result_of("b"), result_of("c"), result_of("a")]
    assert (partly.headers["X-Cache"], again.headers["X-Cache"]) == ("miss", "hit")


def test_a_text_at_its_limit_fits_however_it_is_escaped(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    body = b'{"text":"%b"}' % (rb"\u0041" * MAX_TEXT_BYTES)

    response = client.post(TEXTS, data=body, headers=headers)

    assert response.status_code == 200
    assert [len(row) for row in worker.inference.calls[0].rows] == [MAX_TEXT_BYTES]


REFUSED: list[tuple[bytes, tuple[int, str]]] = [
    (b"", (400, "empty_body")),
    (b"{", (400, "unreadable_body")),
    (b'{"text":"\xff"}', (400, "unreadable_body")),
    (b'{"text":"\\ud800"}', (400, "unreadable_body")),
    (b'{"texts":' * 5000, (400, "unreadable_body")),
    (b"[]", (422, "validation_failed")),
    (b'{"text":"%b"}' % (b"x" * (MAX_TEXT_BYTES + 1)), (422, "validation_failed")),
    (b" " * (LARGEST_BODY_BYTES + 1), (413, "body_too_large")),
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "text"), ({"text": None}, "text"), ({"text": 7}, "text"), ({"text": "a", "texts": ["a"]}, "text"),
    ({"texts": []}, "texts"), ({"texts": "a"}, "texts"), ({"texts": ["a"] * 257}, "texts"),
    ({"texts": ["a", 7]}, "texts.1"), ({"text": "a", "top_k": 1}, "top_k"),
]  # fmt: skip


def test_body_that_holds_no_texts_is_refused(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for body, wanted in REFUSED:
        response = client.post(TEXTS, data=body, headers=headers)
        assert (response.status_code, response.json["code"]) == wanted, body[:80]
    too_much = client.post(TEXTS, json={"texts": ["x" * 10_000] * 256}, headers=headers)

    assert "texts takes at most 256 texts, each at most 262144 bytes" in too_much.json["detail"]
    assert worker.inference.calls == []


def test_wrong_field_is_named(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for members, field in WRONG:
        response = client.post(TEXTS, data=json.dumps(members), headers=headers)
        assert (response.status_code, list(response.json["errors"])) == (422, [field]), members
    for query, field in (("model=", "model"), ("top_k=0", "top_k"), ("top_k=1001", "top_k"), ("top_k=x", "top_k")):
        response = client.post(f"{TEXTS}?{query}", json={"text": "a"}, headers=headers)
        assert (response.status_code, list(response.json["errors"])) == (422, [field]), query

    assert worker.inference.calls == []


def test_caller_chooses_model_and_version(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    for _ in range(2):
        publish_text_model(worker, name="mails")

    asked = [f"{TEXTS}?model={query}" for query in ("mails&version=2", "digits", "unheard-of")]
    chosen, other_task, unknown = (client.post(path, json={"text": "a"}, headers=headers) for path in asked)

    assert chosen.json["model"] == {"name": "mails", "version": 2, "variant": None}
    assert (other_task.status_code, other_task.json["code"]) == (409, "wrong_task")
    assert (unknown.status_code, unknown.json["code"]) == (404, "model_not_found")


def test_heavy_models_and_who_prefers_it_get_a_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    heavy = make_manifest(task="text-classification", execution="heavy")
    publish_text_model(worker, name="heavy", manifest=heavy)

    preferred = client.post(
        TEXTS, json={"texts": ["a", "b"]}, headers={**headers, "Prefer": "respond-async", "Idempotency-Key": "k"}
    )
    forced = client.post(f"{TEXTS}?model=heavy&top_k=2", json={"text": "a"}, headers=headers)

    assert [answer.status_code for answer in (preferred, forced)] == [202, 202]
    assert ["Preference-Applied" in answer.headers for answer in (preferred, forced)] == [True, False]
    jobs = [job_of(worker, answer) for answer in (preferred, forced)]
    assert [(job.kind, job.model_name, job.parameters) for job in jobs] == [
        ("text", "text", {"top_k": 5}),
        ("text", "heavy", {"top_k": 2}),
    ]
    assert worker.inference.calls == []


def test_caller_must_be_allowed_to(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    bound, scopeless = worker.bearer(models=("digits",)), worker.bearer(scopes=frozenset({"jobs"}))

    for bearer, code in ((bound, "model_not_allowed"), (scopeless, "insufficient_scope")):
        response = client.post(TEXTS, json={"text": "a"}, headers={**headers, **bearer})
        assert (response.status_code, response.json["code"]) == (403, code)


def test_overload_says_when_to_come_back(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.inference.error = QueueFull("Full.", retry_after_s=2.2)

    response = client.post(TEXTS, json={"text": "a"}, headers=headers)

    assert (response.status_code, response.json["code"], response.headers["Retry-After"]) == (503, "queue_full", "3")
