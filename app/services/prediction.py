"""One online inference: resolve the version, check its task, ask a runner, name what answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import (
    DeadlineExceeded,
    GalleyError,
    HeavyModel,
    ImageTooLarge,
    InvalidTensor,
    ModelFailed,
    UnreadableImage,
    UnsupportedImage,
    WrongTask,
)
from app.inference.client import InferenceClient
from app.inference.messages import Form, Lane, Row, RowFailure
from app.services.routing import Resolved, Router
from model_store.manifest import Task
from model_store.model_ref import ModelRef

# What can befall one row while its neighbours are answered.
ROW_ERRORS: Mapping[str, type[GalleyError]] = {
    error_class.code: error_class
    for error_class in (UnreadableImage, UnsupportedImage, ImageTooLarge, InvalidTensor, ModelFailed, DeadlineExceeded)
}


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What a caller asks of a model. `version` is a number or an alias; `deadline` is in monotonic seconds."""

    model: str
    version: str | None
    task: Task | None
    """What the model must do; None takes any."""
    rows: Sequence[Row]
    deadline: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    form: Form = Form.SCENARIO
    lane: Lane = Lane.INTERACTIVE
    request_id: str = ""
    subject: str = ""
    """Whom the answer is for: a route gives the same subject the same variant."""
    client_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer per row, in the order asked, and what gave it."""

    ref: ModelRef
    variant: str | None
    rows: Sequence[bytes | memoryview | RowFailure]
    queue_s: float
    compute_s: float

    @property
    def model_name(self) -> str:
        """Name of the model that answered."""
        return self.ref.name

    @property
    def model_version(self) -> int:
        """Version that answered."""
        return self.ref.version

    @property
    def answered_by(self) -> dict[str, Any]:
        """The members of an answer's `model`."""
        return {"name": self.ref.name, "version": self.ref.version, "variant": self.variant}


class PredictionService:
    """Answers inferences. Holds no state of its own; safe to share between greenlets."""

    def __init__(self, router: Router, client: InferenceClient) -> None:
        self._router = router
        self._client = client

    def predict(
        self, request: PredictionRequest, *, on_resolved: Callable[[Resolved], None] | None = None
    ) -> Prediction:
        """Answer every row of `request`, waiting at most until its deadline.

        `on_resolved` learns what is asked before it answers, or fails to.

        :raises NotFoundError: when no such model or version is published.
        :raises WrongTask: when the model does something else.
        :raises HeavyModel: when no runner is kept for the version.
        :raises UnavailableError: when no runner can take or finish it now.
        :raises DeadlineExceeded: when the answer would come too late.
        """
        resolved = self._router.resolve(
            request.model, request.version, subject=request.subject, client_id=request.client_id
        )
        _check_fit(resolved, request.task)
        if on_resolved is not None:
            on_resolved(resolved)

        answer = self._client.infer(
            resolved.ref,
            request.rows,
            parameters=_parameters(request, resolved),
            deadline=request.deadline,
            form=request.form,
            lane=request.lane,
            request_id=request.request_id,
        )
        return Prediction(
            ref=resolved.ref,
            variant=resolved.variant,
            rows=answer.rows,
            queue_s=answer.queue_s,
            compute_s=answer.compute_s,
        )


def row_error(failure: RowFailure) -> GalleyError:
    """Return a row's failure as the error it was in the runner, with the sentence written there."""
    error_class = ROW_ERRORS.get(failure.code, ModelFailed)
    error = error_class.__new__(error_class)
    GalleyError.__init__(error, failure.detail)
    return error


def _parameters(request: PredictionRequest, resolved: Resolved) -> dict[str, Any]:
    if request.form is Form.TENSORS:
        # The runner writes the whole answer, and the answer says which variant gave it.
        return {**request.parameters, "variant": resolved.variant}

    return dict(request.parameters)


def _check_fit(resolved: Resolved, wanted: Task | None) -> None:
    if wanted is not None and resolved.facts.task != wanted:
        raise WrongTask(resolved.ref.name, resolved.facts.task, wanted)
    if resolved.facts.execution == "heavy":
        raise HeavyModel(resolved.ref.name)
