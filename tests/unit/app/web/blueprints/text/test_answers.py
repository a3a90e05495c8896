"""From a body to labels, without Flask: now, or as a job."""

from typing import Any

import orjson
import pytest

from app.errors import EmptyBody, InvalidFields, ModelNotAllowed, UnreadableBody, UnsupportedMediaType
from app.web.blueprints.text.answers import answer_texts
from tests.factories.classified_texts import publish_text_model, result_of
from tests.factories.inference_calls import call_of
from tests.factories.job_posts import input_of
from tests.factories.web import WebWorker


@pytest.fixture(autouse=True)
def _model(worker: WebWorker) -> None:
    publish_text_model(worker)


def test_texts_are_one_call_of_the_runner(worker: WebWorker) -> None:
    answer = answer_texts(call_of(worker), '{"texts":["uno","dös",""]}'.encode(), top_k=2)

    assert orjson.loads(answer.body) == {
        "results": [result_of("uno", 2), result_of("dös", 2), result_of("", 2)],
        "model": {"name": "text", "version": 1, "variant": None},
    }
    (call,) = worker.inference.calls
    assert (call.rows, call.parameters, list(call.sequences)) == ([b"uno", "dös".encode(), b""], {"top_k": 2}, [])


def test_who_will_not_wait_gets_a_job(worker: WebWorker) -> None:
    answer = answer_texts(call_of(worker, {"HTTP_PREFER": "respond-async"}), b'{"text":"uno"}', version="1", top_k=3)

    job = orjson.loads(answer.body)
    facts = worker.services.jobs.find(job["id"])
    assert (answer.status, job["kind"], job["version"]) == (202, "text", 1)
    assert (facts.parameters, input_of(worker, job["id"])) == ({"top_k": 3}, b'{"text":"uno"}')


@pytest.mark.parametrize(
    ("environ", "body", "error"),
    [
        ({"CONTENT_TYPE": "text/plain"}, b'{"text":"uno"}', UnsupportedMediaType),
        ({}, b"", EmptyBody),
        ({}, b'{"text":"\\ud800"}', UnreadableBody),
        ({}, b'{"text":7}', InvalidFields),
        ({"HTTP_PREFER": "respond-async"}, b'{"texts":[]}', InvalidFields),
    ],
)
def test_body_is_checked_before_anything_is_asked(
    worker: WebWorker, environ: dict[str, Any], body: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        answer_texts(call_of(worker, environ), body)

    assert (worker.inference.calls, worker.sent) == ([], [])


def test_caller_must_be_allowed_to(worker: WebWorker) -> None:
    with pytest.raises(ModelNotAllowed):
        answer_texts(call_of(worker, models=("d*",)), b'{"text":"uno"}')
