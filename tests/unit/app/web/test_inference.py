"""The call that all inference routes make."""

import time

import pytest

from app.errors import ModelNotFound
from app.web.inference import predict
from app.web.request_context import RequestContext, current_context
from tests.factories.web import WebWorker

TASK = "image-classification"


def test_request_lends_its_id_and_deadline(worker: WebWorker) -> None:
    worker.publish()
    with worker.app.test_request_context(headers={"X-Request-ID": "r1", "Request-Timeout": "2"}):
        worker.app.preprocess_request()

        prediction = predict("digits", None, TASK, [b"row"], parameters={"top_k": 1})

        context = current_context()
        assert context.answered is prediction
        call = worker.inference.calls[0]
        assert (call.request_id, call.deadline) == ("r1", context.deadline)
        assert call.deadline <= time.monotonic() + 2


def test_failure_names_nobody(worker: WebWorker) -> None:
    with worker.app.test_request_context():
        worker.app.preprocess_request()

        with pytest.raises(ModelNotFound):
            predict("unheard-of", None, TASK, [b"row"], parameters={})

        assert current_context().answered is None


def test_deadline_counts_from_the_start() -> None:
    assert RequestContext("r1", started=100.0, limit_s=2.5).deadline == 102.5
