"""From a body to an answer, without Flask: as the fast path asks, and as a caller who will not wait."""

from typing import Any

import orjson
import pytest

from app.errors import EmptyBody, InvalidFields, ModelNotAllowed, UnsupportedMediaType
from app.web.blueprints.recommendations.answers import answer_recommendations
from tests.factories.inference_calls import call_of
from tests.factories.job_posts import input_of
from tests.factories.ranked_rows import items_of, publish_ranking_model
from tests.factories.web import WebWorker


@pytest.fixture(autouse=True)
def _model(worker: WebWorker) -> None:
    publish_ranking_model(worker)


def test_users_are_answered(worker: WebWorker) -> None:
    answer = answer_recommendations(call_of(worker), b'{"user_ids":[3,1],"k":2}')

    results = orjson.loads(answer.body)["results"]
    assert [(one["user_id"], one["items"]) for one in results] == [(3, items_of(3, 2)), (1, items_of(1, 2))]
    assert answer.status == 200


def test_who_will_not_wait_gets_a_job(worker: WebWorker) -> None:
    answer = answer_recommendations(call_of(worker, {"HTTP_PREFER": "respond-async"}), b'{"user_id":3}', version="1")

    job = orjson.loads(answer.body)
    assert (answer.status, job["version"]) == (202, 1)
    assert input_of(worker, job["id"]) == b'{"user_id":3}'


@pytest.mark.parametrize(
    ("environ", "body", "error"),
    [
        ({"CONTENT_TYPE": "text/plain"}, b'{"user_id":3}', UnsupportedMediaType),
        ({}, b"", EmptyBody),
        ({}, b'{"user_id":"x"}', InvalidFields),
        ({"HTTP_PREFER": "respond-async"}, b'{"user_id":"x"}', InvalidFields),
    ],
)
def test_body_is_checked_before_anything_is_asked(
    worker: WebWorker, environ: dict[str, Any], body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        answer_recommendations(call_of(worker, environ), body)

    assert (worker.inference.calls, worker.sent) == ([], [])


def test_caller_must_be_allowed_to(worker: WebWorker) -> None:
    with pytest.raises(ModelNotAllowed):
        answer_recommendations(call_of(worker, models=("d*",)), b'{"user_id":3}')
