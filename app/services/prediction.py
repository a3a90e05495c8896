"""One online inference: resolve the version, check its task, ask a runner, name what answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from app.errors import (
    HeavyModel,
    NotCached,
    WrongTask,
)
from app.inference.answer_cache import AnswerCache
from app.inference.cache import USE_CACHE, CachedCall, CacheDirectives, CacheOutcome, ReadShared
from app.inference.client import InferAnswer, InferenceClient
from app.inference.heavy_client import HeavyClient
from app.inference.messages import Form, Lane, Row, RowFailure, SequenceCall, Traced
from app.inference.refusals import row_error
from app.scenarios.outcomes import Outcome, write_answered_by
from app.services.routing import Resolved, Router
from model_store.manifest import Task
from model_store.model_ref import ModelRef

# The tasks whose answer depends on nothing but the version and the row, unless the row goes on with a sequence.
CACHED_TASKS: Final = frozenset({"image-classification", "ranking", "text-classification"})


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """What a caller asks of a model. `version` is a number or an alias; `deadline` is in monotonic seconds."""

    model: str
    version: str | None
    rows: Sequence[Row]
    deadline: float
    task: Task | None = None
    """What the model must do; None takes any."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    form: Form = Form.SCENARIO
    lane: Lane = Lane.INTERACTIVE
    request_id: str = ""
    traceparent: str = ""
    """Hands on the trace of the caller; empty where it sent none."""
    subject: str = ""
    """Whom the answer is for: a route gives the same subject the same variant."""
    client_id: str = ""
    cache: CacheDirectives = USE_CACHE
    """How the caller wants kept answers to be used, where answers are kept at all."""
    sequences: Sequence[SequenceCall] = ()
    """The sequence that each row goes on with, where they go on with any."""
    read_shared: ReadShared | None = None
    """How the cache that processes share is read for this request; None for the usual way."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer per row, in the order asked, and what gave it."""

    ref: ModelRef
    variant: str | None
    rows: Sequence[bytes | memoryview | RowFailure]
    queue_s: float
    compute_s: float
    cache: CacheOutcome | None = None
    """What the cache had; None where answers are not kept."""
    age_s: float = 0.0
    """Of the oldest row that came from the cache."""

    @property
    def model_name(self) -> str:
        """Name of the model that answered."""
        return self.ref.name

    @property
    def model_version(self) -> int:
        """Version that answered."""
        return self.ref.version

    @property
    def answered_by(self) -> bytes:
        """An answer's `model`, as JSON."""
        return write_answered_by(self.ref.name, self.ref.version, self.variant)

    @property
    def outcomes(self) -> list[Outcome]:
        """The rows as scenarios know them, with an error where one failed."""
        return [row_error(row) if isinstance(row, RowFailure) else row for row in self.rows]


class PredictionService:
    """Answers inferences; safe to share between greenlets.

    With a `cache`, scenarios' answers are kept for `cache_ttl_s` seconds, or what the alias says that was asked.
    Without a `heavy` client there is nobody who runs models marked heavy.
    """

    def __init__(
        self,
        router: Router,
        client: InferenceClient,
        cache: AnswerCache | None = None,
        *,
        heavy: HeavyClient | None = None,
        cache_ttl_s: int = 0,
    ) -> None:
        self._router = router
        self._client = client
        self._heavy = heavy
        self._cache = cache
        self._cache_ttl_s = cache_ttl_s

    def predict(
        self, request: PredictionRequest, *, on_resolved: Callable[[Resolved], None] | None = None
    ) -> Prediction:
        """Answer every row of `request`, waiting at most until its deadline.

        `on_resolved` learns what is asked before it answers, or fails to.

        :raises NotFoundError: when no such model or version is published.
        :raises WrongTask: when the model does something else.
        :raises HeavyModel: when the model is marked heavy, and not asked for tensors: that is a job.
        :raises UnavailableError: when no runner can take or finish it now.
        :raises NotCached: when the caller wants kept answers only, and not all are there.
        :raises DeadlineExceeded: when the answer would come too late.
        """
        resolved = self._router.resolve(
            request.model, request.version, subject=request.subject, client_id=request.client_id
        )
        self._check_fit(request, resolved)
        if on_resolved is not None:
            on_resolved(resolved)

        ttl_s = self._ttl_s(request, resolved)
        if self._cache is None or ttl_s <= 0:
            return self._predict_afresh(request, resolved)

        kept = self._cache.answer(_cached_call(request, resolved, ttl_s), partial(self._infer, request, resolved))
        return Prediction(
            ref=resolved.ref,
            variant=resolved.variant,
            rows=kept.rows,
            queue_s=kept.queue_s,
            compute_s=kept.compute_s,
            cache=kept.outcome,
            age_s=kept.age_s,
        )

    def _predict_afresh(self, request: PredictionRequest, resolved: Resolved) -> Prediction:
        if request.cache.is_only_if_cached and request.form is Form.SCENARIO:
            raise NotCached(resolved.ref.name)

        answer = self._infer(request, resolved, request.rows)
        return Prediction(
            ref=resolved.ref,
            variant=resolved.variant,
            rows=answer.rows,
            queue_s=answer.queue_s,
            compute_s=answer.compute_s,
        )

    def _infer(self, request: PredictionRequest, resolved: Resolved, rows: Sequence[Row]) -> InferAnswer:
        if self._heavy is not None and resolved.facts.execution == "heavy":
            return self._heavy.infer(
                resolved.ref,
                rows,
                digest=resolved.facts.digest,
                deadline=request.deadline,
                parameters=_parameters(request, resolved),
                form=request.form,
                request_id=request.request_id,
                traceparent=request.traceparent,
                client_id=request.client_id,
            )

        return self._client.infer(
            resolved.ref,
            rows,
            parameters=_parameters(request, resolved),
            deadline=request.deadline,
            form=request.form,
            lane=request.lane,
            request_id=request.request_id,
            client_id=request.client_id,
            sequences=request.sequences,
            traced=_traced(request),
        )

    def _check_fit(self, request: PredictionRequest, resolved: Resolved) -> None:
        name, facts = resolved.ref.name, resolved.facts
        if request.task is not None and facts.task != request.task:
            raise WrongTask(name, facts.task, request.task)
        if facts.execution == "heavy" and (self._heavy is None or request.form is not Form.TENSORS):
            raise HeavyModel(name)

    def _ttl_s(self, request: PredictionRequest, resolved: Resolved) -> int:
        facts = resolved.facts
        # Of a model with state only whoever goes on with a sequence meets what was remembered.
        is_pure = facts.task in CACHED_TASKS and not request.sequences
        if request.form is not Form.SCENARIO or not facts.is_cached or not is_pure:
            return 0

        return self._cache_ttl_s if resolved.cache_ttl_s is None else resolved.cache_ttl_s


def _cached_call(request: PredictionRequest, resolved: Resolved, ttl_s: int) -> CachedCall:
    facts = resolved.facts
    return CachedCall(
        ref=resolved.ref,
        digest=facts.digest,
        rows=request.rows,
        ttl_s=ttl_s,
        deadline=request.deadline,
        form=request.form,
        parameters=request.parameters,
        client_id=request.client_id if facts.is_cached_per_client else "",
        directives=request.cache,
        read_shared=request.read_shared,
    )


def _traced(request: PredictionRequest) -> Sequence[Traced]:
    if not request.traceparent:
        return ()

    return [Traced(request_id=request.request_id, traceparent=request.traceparent)]


def _parameters(request: PredictionRequest, resolved: Resolved) -> dict[str, Any]:
    if request.form is Form.TENSORS:
        # The runner writes the whole answer, and the answer says which variant gave it.
        return {**request.parameters, "variant": resolved.variant}

    return dict(request.parameters)
