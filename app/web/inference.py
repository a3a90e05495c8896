"""What all inference routes share: the call with the request's deadline and id, and how the answer is described."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

from flask import request

from app.errors import (
    DeadlineExceeded,
    Draining,
    EmptyBody,
    InvalidFields,
    ModelFailed,
    ModelLoading,
    ModelNotAllowed,
    ModelNotFound,
    ModelUnloaded,
    QueueFull,
    RunnerLost,
    ShareExceeded,
    VersionNotFound,
    WrongTask,
)
from app.inference.cache import ReadShared
from app.inference.messages import Form, Lane, Row, SequenceCall
from app.services.allocation import LONGEST_SUBJECT
from app.services.prediction import Prediction, PredictionRequest
from app.services.routing import Resolved
from app.services.tokens import Identity
from app.web.auth import caller
from app.web.body import BODY_PROBLEMS
from app.web.cache_control import CACHE_CONTROL_HEADER, CACHE_CONTROL_VARIABLE, cache_directives
from app.web.extensions import Services, services
from app.web.request_context import TIMEOUT_HEADER, RequestContext, current_context
from model_store.manifest import Task

SUBJECT_HEADER: Final = "X-Subject"
SUBJECT_VARIABLE: Final = "HTTP_X_SUBJECT"

# What any inference may answer besides its scenario's own errors.
INFERENCE_PROBLEMS = (
    *BODY_PROBLEMS,
    EmptyBody,
    InvalidFields,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
    WrongTask,
    QueueFull,
    ShareExceeded,
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
CACHED_ANSWER_HEADERS: dict[str, Any] = {
    **ANSWER_HEADERS,
    "X-Cache": _text_header(
        "`hit` (all of it was kept), `miss`, or `bypass` (the caller did not want a kept answer); absent where answers"
        " are not kept."
    ),
    "Age": {"schema": {"type": "integer"}, "description": "Seconds since the oldest part of a hit was computed."},
    "Cache-Control": _text_header("`no-store`: answers are for the caller alone; Galley itself keeps them."),
}


TIMEOUT_PARAMETER: dict[str, Any] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "description": "Seconds, a decimal: shortens the time the server gives the request. Work past it is dropped: 504.",
    "schema": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
    "example": 0.5,
}


CACHE_PARAMETER: dict[str, Any] = {
    "name": CACHE_CONTROL_HEADER,
    "in": "header",
    "description": "`no-cache` wants a fresh answer, `no-store` one that is not kept either, `max-age=N` one that is at"
    " most N seconds old, `only-if-cached` one that is kept, else 504 `not_cached` (RFC 9111). Others are ignored.",
    "schema": {"type": "string"},
    "example": "no-cache",
}


SUBJECT_PARAMETER: dict[str, Any] = {
    "name": SUBJECT_HEADER,
    "in": "header",
    "description": "Whom the answer is for: a route answers the same subject with the same variant. By default whom"
    " the input is about (the one `user_id` of recommendations, the `account_id` of a payment), else the client that"
    " asks.",
    "schema": {"type": "string", "maxLength": LONGEST_SUBJECT},
    "example": "user-4711",
}


INFERENCE_PARAMETERS: Final = (TIMEOUT_PARAMETER, SUBJECT_PARAMETER, CACHE_PARAMETER)
"""The headers that tell of a scenario's inference how it is to be done."""


class AskOptions(TypedDict, total=False):
    """What a call may say besides model, version and rows; the members of a PredictionRequest."""

    task: Task | None
    parameters: Mapping[str, Any]
    form: Form
    lane: Lane
    sequences: Sequence[SequenceCall]


@dataclass(frozen=True, slots=True)
class InferenceCall:
    """One inference over HTTP, whichever way it came in: through Flask, or on the fast path in front of it."""

    services: Services
    context: RequestContext
    environ: Mapping[str, Any]
    """The request as WSGI has it."""
    identity: Identity | None = None
    read_shared: ReadShared | None = None

    @property
    def client_id(self) -> str:
        """Who asks; empty on routes open to anyone."""
        return self.identity.client_id if self.identity else ""

    @property
    def subject(self) -> str:
        """The subject that the request's header names, or an empty string.

        :raises InvalidFields: when it is too long, or not printable UTF-8.
        """
        header = self.environ.get(SUBJECT_VARIABLE)
        return named_subject(header) if header else ""

    def check_model_allowed(self, name: str) -> None:
        """Refuse callers that are bound to other models.

        :raises ModelNotAllowed: then.
        """
        if self.identity is not None and not self.identity.may_use(name):
            raise ModelNotAllowed(name)

    def ask(
        self, model: str, version: str | None, rows: Sequence[Row], *, about: str = "", **options: Unpack[AskOptions]
    ) -> Prediction:
        """Ask a model within the request's deadline; headers and log line will say what answered.

        `about` is whom the scenario's input is about; the header X-Subject overrules it.

        :raises InvalidFields: when that header cannot be a subject.
        """
        request = PredictionRequest(
            model=model,
            version=version,
            rows=rows,
            deadline=self.context.deadline,
            request_id=self.context.request_id,
            traceparent=self.context.traceparent,
            subject=self.subject or about,
            client_id=self.client_id,
            cache=cache_directives(self.environ.get(CACHE_CONTROL_VARIABLE)),
            read_shared=self.read_shared,
            **options,
        )
        return self._predict(request)

    def _predict(self, asked: PredictionRequest) -> Prediction:
        context = self.context

        def note(resolved: Resolved) -> None:
            context.routed = resolved
            context.subject = asked.subject or asked.client_id

        try:
            prediction = self.services.predictions.predict(asked, on_resolved=note)
        except ModelUnloaded:
            # Refused before anything was asked. To the readout it is a failure of the variant like any other: without
            # it a variant that answers nobody would look as if nobody had come.
            choose = self.services.routing.choose
            note(choose(asked.model, asked.version, subject=asked.subject, client_id=asked.client_id))
            raise

        context.answered = prediction
        return prediction


def current_call() -> InferenceCall:
    """Return the call that Flask is serving."""
    return InferenceCall(services(), current_context(), request.environ, caller())


def predict(
    model: str,
    version: str | None,
    task: Task | None,
    rows: Sequence[Row],
    *,
    parameters: Mapping[str, Any],
    subject: str = "",
) -> Prediction:
    """Ask a model in the name of the request that Flask is serving, as `InferenceCall.ask` does."""
    return current_call().ask(model, version, rows, task=task, parameters=parameters, about=subject)


def named_subject(header: str) -> str:
    """Return the subject that a header names.

    :raises InvalidFields: when it is too long, or not printable UTF-8.
    """
    subject = header.encode("latin-1").decode("utf-8", "replace")
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable() or "\ufffd" in subject:
        raise InvalidFields({SUBJECT_HEADER: [f"Send at most {LONGEST_SUBJECT} printable characters in UTF-8."]})

    return subject
