"""What all inference routes share: the call with the request's deadline and id, and how the answer is described."""

from collections.abc import Mapping, Sequence
from typing import Any

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
    QueueFull,
    RunnerLost,
    VersionNotFound,
    WrongTask,
)
from app.services.prediction import Prediction, PredictionRequest
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.request_context import TIMEOUT_HEADER, current_context
from model_store.manifest import Task

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
    "Server-Timing": _text_header("Milliseconds: `queue` (waiting for the batch), `compute`, `total`."),
}


TIMEOUT_PARAMETER: dict[str, Any] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "description": "Seconds, a decimal: shortens the time the server gives the request. Work past it is dropped: 504.",
    "schema": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
    "example": 0.5,
}


def predict(
    model: str, version: str | None, task: Task, rows: Sequence[bytes], *, parameters: Mapping[str, Any]
) -> Prediction:
    """Ask a model within the request's deadline; headers and log line will say what answered."""
    context = current_context()
    request = PredictionRequest(
        model=model,
        version=version,
        task=task,
        rows=rows,
        parameters=parameters,
        deadline=context.deadline,
        request_id=context.request_id,
    )
    prediction = services().predictions.predict(request)
    context.answered = prediction
    return prediction
