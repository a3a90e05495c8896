"""Log lines of calls that their callers trace, read off the runner's own messages: all others cost nothing."""

import time
from dataclasses import dataclass
from typing import Final

import structlog

from app.inference.messages import InferReply, InferRequest, Refusal, Traced, decode_reply
from app.infra.log_context import request_fields
from app.infra.trace import Trace
from model_store.model_ref import ModelRef

logger = structlog.get_logger("workers.runner.calls")

# Each is answered, or its runner ends. Should some not be, the oldest must make way.
MOST_OPEN: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Open:
    """A call that is not answered yet."""

    traced: list[Traced]
    rows: int
    began_at: float


class CallLog:
    """Tells of each traced call when it is answered: how, and how long it took. Used by the socket's thread only.

    A call that was sampled leaves a line for each request that it came by; one that was not does at level `debug`.
    """

    def __init__(self, ref: ModelRef) -> None:
        self._ref = ref
        self._open: dict[tuple[bytes, int], _Open] = {}

    def begin(self, identity: bytes, request: InferRequest, rows: int) -> None:
        """Note a request that came, if it is traced."""
        if not request.traced:
            return

        if len(self._open) >= MOST_OPEN:
            del self._open[next(iter(self._open))]
        self._open[identity, request.call_id] = _Open(request.traced, rows, time.monotonic())

    def end(self, identity: bytes, header: bytes) -> None:
        """Tell of the request that a message answers, if it was noted."""
        if not self._open:
            return

        reply = decode_reply(header)
        call = self._open.pop((identity, reply.call_id), None)
        if call is not None and isinstance(reply, InferReply | Refusal):
            self._tell(call, reply)

    def _tell(self, call: _Open, reply: InferReply | Refusal) -> None:
        fields = {
            "model": self._ref.name,
            "version": self._ref.version,
            "rows": call.rows,
            "ms": round((time.monotonic() - call.began_at) * 1000, 2),
            **_how(reply),
        }
        for one in call.traced:
            trace = Trace.read(one.traceparent)
            tell = logger.info if trace is not None and trace.is_sampled else logger.debug
            tell("call", **request_fields(one.request_id, one.traceparent), **fields)


def _how(reply: InferReply | Refusal) -> dict[str, object]:
    if isinstance(reply, Refusal):
        return {"code": reply.code}

    return {
        "failed": len(reply.failures),
        "queue_ms": round(reply.queue_s * 1000, 2),
        "compute_ms": round(reply.compute_s * 1000, 2),
    }
