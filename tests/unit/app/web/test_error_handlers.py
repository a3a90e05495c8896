"""Every failure is a problem document with the status of the table."""

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from werkzeug.exceptions import ImATeapot, UnprocessableEntity

from app.errors import (
    DigestMismatch,
    GalleyError,
    ImageTooLarge,
    InsufficientScope,
    InvalidFields,
    InvalidToken,
    JobAbandoned,
    MissingToken,
    ModelFailed,
    ModelNotAllowed,
    QueueFull,
    RateLimited,
    StoreError,
    StoreUnreachable,
    TooManyErrors,
)
from app.web.api import error_classes
from app.web.error_handlers import MOST_TOLD, answer_http_exception, init_error_handlers, is_told, status_of


def client_of_view_raising(error: Exception) -> FlaskClient:
    app = Flask(__name__)
    init_error_handlers(app)

    @app.get("/")
    def view() -> str:
        raise error

    return app.test_client()


def test_only_failures_of_the_server_itself_are_500() -> None:
    failures = {error for error in error_classes() if status_of(error) == 500}

    # Two are errors of jobs, which no request ever meets.
    others = {error for error in failures if not issubclass(error, StoreError)}
    assert others == {GalleyError, JobAbandoned, TooManyErrors}


def test_failures_inside_are_not_told() -> None:
    assert not is_told(DigestMismatch)
    assert is_told(ModelFailed)
    assert is_told(StoreUnreachable)


def test_document_has_all_members() -> None:
    response = client_of_view_raising(ImageTooLarge(9000, 9000, 50_000_000)).get("/")

    assert response.status_code == 413
    assert response.content_type == "application/problem+json"
    assert response.json == {
        "type": "urn:galley:problem:image_too_large",
        "title": "Image too large",
        "status": 413,
        "detail": "The image is 9000×9000 pixels; at most 50000000 pixels are accepted.",
        "code": "image_too_large",
        "request_id": "",
        "retryable": False,
    }


def test_rejected_fields_are_named() -> None:
    response = client_of_view_raising(InvalidFields({"top_k": ["Too small."]})).get("/")

    assert response.json["errors"] == {"top_k": ["Too small."]}


def test_webargs_messages_become_field_paths() -> None:
    error = UnprocessableEntity()
    error.data = {"messages": {"json": {"rows": {0: {"amount": ["Not a number."]}}, "_schema": ["Odd."]}}}  # type: ignore[attr-defined]

    response = client_of_view_raising(error).get("/")

    assert response.status_code == 422
    assert response.json["errors"] == {"rows.0.amount": ["Not a number."], "body": ["Odd."]}


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (MissingToken(), 'Bearer realm="galley"'),
        (InvalidToken(), 'Bearer realm="galley", error="invalid_token"'),
        (InsufficientScope("jobs"), 'Bearer realm="galley", error="insufficient_scope", scope="jobs"'),
        (ModelNotAllowed("digits"), None),
    ],
)
def test_challenge_says_what_is_missing(error: GalleyError, challenge: str | None) -> None:
    assert client_of_view_raising(error).get("/").headers.get("WWW-Authenticate") == challenge


@pytest.mark.parametrize(
    ("error", "retry_after"),
    [
        (QueueFull("Full.", retry_after_s=0.1), "1"),
        (RateLimited("Slow down.", retry_after_s=6.5), "7"),
        (ModelFailed("Raised."), None),
    ],
)
def test_only_what_passes_says_when_to_come_back(error: GalleyError, retry_after: str | None) -> None:
    assert client_of_view_raising(error).get("/").headers.get("Retry-After") == retry_after


@pytest.mark.parametrize("error", [RuntimeError("/etc/secret"), DigestMismatch("/var/store/digits/1/model.pt")])
def test_failure_inside_is_logged_and_told_to_nobody(error: Exception) -> None:
    with structlog.testing.capture_logs() as logs:
        response = client_of_view_raising(error).get("/")

    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert str(error) not in response.text
    assert [log["log_level"] for log in logs] == ["error"]
    assert str(error) in repr(logs[0])


def test_statuses_of_the_framework_are_problems_too() -> None:
    response = client_of_view_raising(ImATeapot()).get("/")

    assert (response.status_code, response.json["code"]) == (418, "im_a_teapot")


def test_method_that_is_not_allowed_is_told_the_others() -> None:
    response = client_of_view_raising(RuntimeError()).post("/")

    assert (response.status_code, response.json["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


def test_problems_are_counted() -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("galley_problems_total", {"code": "queue_full"}) or 0.0

    before = count()
    client_of_view_raising(QueueFull("Full.")).get("/")

    assert count() == before + 1


def test_a_body_of_faults_is_not_answered_with_all_of_them() -> None:
    refused = UnprocessableEntity()
    refused.data = {"messages": {"json": {number: ["Not a valid number."] for number in range(10_000)}}}  # type: ignore[attr-defined]  # as webargs does

    with Flask(__name__).test_request_context():
        answer = answer_http_exception(refused)

    assert len(answer.json["errors"]) == MOST_TOLD  # type: ignore[index]  # it is a document
