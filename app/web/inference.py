"""What all inference routes share: the call with the request's deadline and id, and how the answer is described."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import request

from app.errors import (
    DeadlineExceeded,
    Draining,
    EmptyBody,
    HeavyModel,
    InvalidFields,
    ModelFailed,
    ModelLoading,
    ModelNotAllowed,
    ModelNotFound,
    ModelUnloaded,
    QueueFull,
    RunnerLost,
    VersionNotFound,
    WrongTask,
)
from app.services.allocation import LONGEST_SUBJECT
from app.services.prediction import Prediction, PredictionRequest
from app.services.routing import Resolved
from app.web.auth import caller
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.request_context import TIMEOUT_HEADER, current_context
from model_store.manifest import Task

SUBJECT_HEADER: Final = "X-Subject"

# What any inference may answer besides its scenario's own errors.
INFERENCE_PROBLEMS = (
    *BODY_PROBLEMS,
    EmptyBody,
    InvalidFields,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
    HeavyModel,
    WrongTask,
    QueueFull,
    ModelLoading,
    ModelUnloaded,
    RunnerLost,
    Draining,
    DeadlineExceeded,
    ModelFailed,
)


def _text_header(description: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": description}


ANSWER_HEADERS: dict[str, Any] = {
    "X-Request-ID": _text_header("The caller's id of the request, or one made here."),
    "X-Model-Name": _text_header("The model that answered."),
    "X-Model-Version": _text_header("Its version."),
    "X-Variant": _text_header("The variant of the model's route; absent when no route chose."),
    "Server-Timing": _text_header("Milliseconds: `queue` (waiting for the batch), `compute`, `total`."),
}


TIMEOUT_PARAMETER: dict[str, Any] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "description": "Seconds, a decimal: shortens the time the server gives the request. Work past it is dropped: 504.",
    "schema": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
    "example": 0.5,
}


SUBJECT_PARAMETER: dict[str, Any] = {
    "name": SUBJECT_HEADER,
    "in": "header",
    "description": "Whom the answer is for: a route answers the same subject with the same variant. By default the"
    " client that asks.",
    "schema": {"type": "string", "maxLength": LONGEST_SUBJECT},
    "example": "user-4711",
}


def predict(
    model: str,
    version: str | None,
    task: Task | None,
    rows: Sequence[bytes],
    *,
    parameters: Mapping[str, Any],
    subject: str = "",
) -> Prediction:
    """Ask a model within the request's deadline; headers and log line will say what answered.

    `subject` is whom the scenario's input is about; the header X-Subject overrules it.

    :raises InvalidFields: when that header cannot be a subject.
    """
    context = current_context()
    return ask(
        PredictionRequest(
            model=model,
            version=version,
            task=task,
            rows=rows,
            parameters=parameters,
            deadline=context.deadline,
            request_id=context.request_id,
            subject=subject_of_request() or subject,
            client_id=client_of_request(),
        )
    )


def ask(asked: PredictionRequest) -> Prediction:
    """Ask a model; headers and log line will say what answered."""
    context = current_context()

    def note(resolved: Resolved) -> None:
        context.routed = resolved
        context.subject = asked.subject or asked.client_id

    try:
        prediction = services().predictions.predict(asked, on_resolved=note)
    except ModelUnloaded:
        # Refused before anything was asked. To the readout it is a failure of the variant like any other: without it
        # a variant that answers nobody would look as if nobody had come.
        subject, client_id = asked.subject, asked.client_id
        note(services().routing.choose(asked.model, asked.version, subject=subject, client_id=client_id))
        raise

    context.answered = prediction
    return prediction


def subject_of_request() -> str:
    """Return the subject that the request's header names, or an empty string.

    :raises InvalidFields: when it is too long, or not printable UTF-8.
    """
    sent = request.headers.get(SUBJECT_HEADER, "").encode("latin-1")
    subject = sent.decode("utf-8", "replace")
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable() or "\ufffd" in subject:
        raise InvalidFields({SUBJECT_HEADER: [f"Send at most {LONGEST_SUBJECT} printable characters in UTF-8."]})

    return subject


def client_of_request() -> str:
    """Return the id of the client that asks, or an empty string on routes open to anyone."""
    identity = caller()
    return identity.client_id if identity else ""
