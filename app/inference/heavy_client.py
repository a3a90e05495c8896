"""The way from a web worker to a Celery worker that runs a heavy model: through Redis, within the deadline."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict, Unpack

from app.errors import DeadlineExceeded, ModelFailed, ModelLoading, QueueFull, RedisUnavailable, ShareExceeded
from app.inference.client import InferAnswer, whole_rows
from app.inference.fair_share import Claim, no_room
from app.inference.heavy_messages import HeavyCall
from app.inference.heavy_queue import Entrance, HeavyQueue
from app.inference.heavy_workers import BELIEVED_S
from app.inference.messages import Form, InferReply, Refusal, Row, decode_reply
from app.inference.refusals import error_of
from app.infra.metrics import REFUSED
from app.infra.task_names import TaskName
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

_SOONEST_RETRY_S: Final = 1.0


class HeavyOptions(TypedDict, total=False):
    """What a call may say besides its rows."""

    parameters: dict[str, Any]
    form: Form
    request_id: str
    traceparent: str
    client_id: str


class HeavyClient:
    """Asks versions that no runner is kept for. One per process; greenlets share it."""

    def __init__(self, queue: HeavyQueue, send: Callable[[TaskName, str], None]) -> None:
        self._queue = queue
        self._send = send

    def infer(
        self, ref: ModelRef, rows: Sequence[Row], *, digest: str, deadline: float, **options: Unpack[HeavyOptions]
    ) -> InferAnswer:
        """Return one answer per row. Blocks the calling greenlet until `deadline` (monotonic) at most.

        :raises ModelLoading: when no worker serves heavy models, or the version could not be loaded.
        :raises QueueFull: when there is no room, or too much ahead of it to make the deadline.
        :raises ShareExceeded: when that is the client's own doing, and others are served.
        :raises RunnerLost: when the process that had the call died.
        :raises DeadlineExceeded: when the rows were not answered in time.
        :raises RedisUnavailable: when Redis does not answer.
        :raises ModelFailed: when the model raised or answered nonsense.
        """
        limit_s = round(deadline - time.monotonic(), 3)
        if limit_s <= 0:
            raise DeadlineExceeded(0.0)

        call = HeavyCall(name=ref.name, version=ref.version, digest=digest, limit_s=limit_s, **options)
        entrance = self._queue.enter(call, rows)
        _check(entrance, limit_s)
        try:
            self._queue.put(entrance.ticket, call, rows)
            self._send(TaskName.INFER_HEAVY, entrance.ticket)
            return _answer(self._wait(entrance.ticket, deadline, limit_s), call, len(rows))
        finally:
            self._leave(entrance.ticket)

    def close(self) -> None:
        """Give back all connections."""
        self._queue.close()

    def _wait(self, ticket: str, deadline: float, limit_s: float) -> list[bytes]:
        while (left_s := deadline - time.monotonic()) > 0:
            frames = self._queue.wait(ticket, left_s)
            if frames is not None:
                return frames
        raise DeadlineExceeded(limit_s)

    def _leave(self, ticket: str) -> None:
        try:
            self._queue.leave(ticket)
        except RedisUnavailable as err:
            # What there is to raise is raised already; the call is forgotten at its deadline.
            logger.info("a call of a heavy model stays listed until its deadline: %s", err.detail)


def _check(entrance: Entrance, limit_s: float) -> None:
    if entrance.verdict == "in":
        return

    error = _refusal(entrance, limit_s)
    REFUSED.labels(place="heavy", code=error.code).inc()
    raise error


def _refusal(entrance: Entrance, limit_s: float) -> ModelLoading | QueueFull | ShareExceeded:
    if entrance.verdict == "nobody":
        return ModelLoading("No Celery worker serves heavy models at present.", retry_after_s=BELIEVED_S)

    claim = Claim(entrance.held, 1, entrance.calls, entrance.clients)
    if entrance.verdict == "full":
        # Places become free one by one.
        each_s = max(_SOONEST_RETRY_S, entrance.wait_s / entrance.calls)
        return no_room("The queue of heavy models is full.", each_s, is_own=claim.is_own_excess)

    others_s = entrance.wait_s * (1 - entrance.held / entrance.calls)
    return no_room(
        "The queue of heavy models is too long to answer before the deadline.",
        max(_SOONEST_RETRY_S, entrance.wait_s - limit_s),
        is_own=claim.is_own_excess and others_s <= limit_s,
    )


def _answer(frames: list[bytes], call: HeavyCall, asked: int) -> InferAnswer:
    header = decode_reply(frames[0])
    if isinstance(header, Refusal):
        raise error_of(header, call.limit_s)
    if not isinstance(header, InferReply) or len(frames) - 1 != asked:
        raise ModelFailed(f"{call.ref} answered {len(frames) - 1} of {asked} rows.")

    return InferAnswer(rows=whole_rows(header, frames[1:]), queue_s=header.queue_s, compute_s=header.compute_s)
