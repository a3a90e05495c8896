"""The call that all inference routes make."""

import time

import pytest

from app.errors import InvalidFields, ModelNotFound
from app.web.auth import current_identity
from app.web.inference import current_call, predict
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


def subject_of(worker: WebWorker, header: str | None, subject: str = "") -> str:
    headers = {} if header is None else {"X-Subject": header}
    with worker.app.test_request_context(headers=headers):
        worker.app.preprocess_request()
        predict("digits", None, TASK, [b"row"], parameters={}, subject=subject)
        return current_context().subject


@pytest.mark.parametrize(
    ("header", "argument", "subject"),
    [
        ("user-1", "", "user-1"),
        ("user-1", "account-7", "user-1"),
        (None, "account-7", "account-7"),
        ("", "account-7", "account-7"),
        (None, "", ""),
        ("Zoë".encode().decode("latin-1"), "", "Zoë"),
        ("x" * 128, "", "x" * 128),
    ],
)
def test_header_overrules_whom_the_input_is_about(
    worker: WebWorker, header: str | None, argument: str, subject: str
) -> None:
    worker.publish()

    assert subject_of(worker, header, argument) == subject


@pytest.mark.parametrize("header", ["x" * 129, "a\tb", "Zo\xeb"])
def test_what_cannot_be_a_subject_is_refused(worker: WebWorker, header: str) -> None:
    worker.publish()

    with pytest.raises(InvalidFields):
        subject_of(worker, header)


def test_client_is_known_where_a_token_was_sent(worker: WebWorker) -> None:
    with worker.app.test_request_context("/api/v1/models", headers=worker.bearer()):
        worker.app.preprocess_request()
        assert current_call().client_id == current_identity().client_id

    with worker.app.test_request_context("/health/live"):
        worker.app.preprocess_request()
        assert current_call().client_id == ""


def test_failure_names_nobody(worker: WebWorker) -> None:
    with worker.app.test_request_context():
        worker.app.preprocess_request()

        with pytest.raises(ModelNotFound):
            predict("unheard-of", None, TASK, [b"row"], parameters={})

        assert current_context().answered is None


def test_deadline_counts_from_the_start() -> None:
    assert RequestContext("r1", started=100.0, limit_s=2.5).deadline == 102.5
