"""What a caller of a heavy model and a Celery worker say to each other through Redis.

The caller leaves `[header, row, row, …]` at `call_key`; the worker leaves `[header, row, row, …]` at `answer_key`, its
header an InferReply or a Refusal, as a runner's. A ticket names the call: who asks, how many bytes it holds, and how
many milliseconds such a call has taken up to now.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from app.inference.messages import Form
from model_store.model_ref import ModelRef

CALLS_KEY: Final = "galley:heavy:calls"
"""Tickets of the calls that are not answered, by their deadline in milliseconds of Redis' clock."""
WORKERS_KEY: Final = "galley:heavy:workers"
"""Workers that serve the queue, each with its slots, by the time from which it counts as gone."""
COSTS_KEY: Final = "galley:heavy:ms"
"""Milliseconds that a call of each version takes, by `name/version`: those of loading it left out."""


class HeavyCall(Struct, frozen=True, kw_only=True):
    """A call as its worker reads it. It may take `limit_s` from the moment it was let in."""

    name: str
    version: int
    digest: str
    """Of the version's manifest."""
    limit_s: float
    parameters: dict[str, Any] = field(default_factory=dict)
    form: Form = Form.TENSORS
    request_id: str = ""
    traceparent: str = ""
    """Hands on the trace of the caller; empty where it sent none."""
    client_id: str = ""

    @property
    def ref(self) -> ModelRef:
        """The version that is asked."""
        return ModelRef(self.name, self.version)


def call_key(ticket: str) -> str:
    """Return where the call lies until a worker takes it."""
    return f"galley:heavy:{_id(ticket)}:in"


def answer_key(ticket: str) -> str:
    """Return where its answer is left."""
    return f"galley:heavy:{_id(ticket)}:out"


def _id(ticket: str) -> str:
    return ticket.partition(":")[0]


encode_call = msgspec.msgpack.Encoder().encode
decode_call = msgspec.msgpack.Decoder(HeavyCall).decode
