"""From a body to a score, without Flask: what the runner is asked, and what is refused before it is."""

from typing import Any

import orjson
import pytest

from app.errors import EmptyBody, InvalidFields, ModelNotAllowed, UnreadableBody, UnsupportedMediaType
from app.services.fraud_sequence import sequence_of
from app.web.blueprints.fraud.answers import answer_score
from tests.factories.inference_calls import call_of
from tests.factories.job_posts import input_of
from tests.factories.payments import payment
from tests.factories.scored_events import event_body, publish_scoring_model
from tests.factories.web import WebWorker


@pytest.fixture(autouse=True)
def _model(worker: WebWorker) -> None:
    publish_scoring_model(worker)


def test_an_event_is_scored_as_one_of_its_account(worker: WebWorker) -> None:
    answer = answer_score(call_of(worker), event_body(amount=3.5))

    assert orjson.loads(answer.body) == {
        "event_id": "e-1",
        "score": 0.75,
        "decision": "review",
        "reasons": [{"feature": "a-1 at m-1", "effect": 3.5}],
        "model": {"name": "fraud", "version": 1, "variant": None},
    }
    (call,) = worker.inference.calls
    assert list(call.sequences) == [sequence_of(payment(account_id="a-1", event_id="e-1"))]
    assert (len(call.rows), call.parameters) == (1, {})


def test_who_will_not_wait_gets_a_job(worker: WebWorker) -> None:
    answer = answer_score(call_of(worker, {"HTTP_PREFER": "respond-async"}), event_body(), version="1")

    job = orjson.loads(answer.body)
    assert (answer.status, job["kind"], job["version"]) == (202, "fraud", 1)
    assert input_of(worker, job["id"]) == event_body()
    assert worker.inference.calls == []


def test_nothing_is_kept_but_by_the_runner(worker: WebWorker) -> None:
    for _ in range(2):
        answer_score(call_of(worker), event_body())

    assert len(worker.inference.calls) == 2


@pytest.mark.parametrize(
    ("environ", "body", "error"),
    [
        ({"CONTENT_TYPE": "text/plain"}, event_body(), UnsupportedMediaType),
        ({}, b"", EmptyBody),
        ({}, b'{"event":{"amount":NaN}}', UnreadableBody),
        ({}, event_body(amount=-1), InvalidFields),
        ({"HTTP_X_SUBJECT": "x" * 129}, event_body(), InvalidFields),
        ({"HTTP_PREFER": "respond-async"}, event_body(amount=-1), InvalidFields),
    ],
)
def test_body_is_checked_before_anything_is_asked(
    worker: WebWorker, environ: dict[str, Any], body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        answer_score(call_of(worker, environ), body)

    assert (worker.inference.calls, worker.sent) == ([], [])


def test_caller_must_be_allowed_to(worker: WebWorker) -> None:
    with pytest.raises(ModelNotAllowed):
        answer_score(call_of(worker, models=("d*",)), event_body())
