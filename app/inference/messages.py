"""The frames between a caller and a runner: msgpack headers, and one raw frame per row behind them.

A caller's DEALER socket sends `[header, row, row, …]`; the runner's ROUTER answers `[header, row, row, …]`.
`call_id` is chosen by the caller, unique on its socket, and comes back in the answer: answers may arrive in
any order. Deadlines are `time.monotonic()` seconds, which all processes of one host share.
"""

import enum
from typing import Any

import msgspec
from msgspec import Struct, field

Row = bytes | bytearray
"""One row on its way to a runner. Whoever hands over a bytearray does not change it any more."""


class Lane(enum.IntEnum):
    """Priority of a request's rows; a lower value is served first."""

    INTERACTIVE = 0
    BATCH = 1


class RunnerState(enum.StrEnum):
    """Life of a runner. Only READY ones are sent requests."""

    LOADING = "LOADING"
    READY = "READY"
    DRAINING = "DRAINING"
    FAILED = "FAILED"


class Form(enum.StrEnum):
    """What the rows of a request are: what the model's scenario takes, or v2 inference requests of tensors."""

    SCENARIO = "scenario"
    TENSORS = "tensors"


class InferRequest(Struct, tag="infer", frozen=True, kw_only=True):
    """Ask for one answer per row frame. `parameters` are the pipeline's (`{"top_k": 5}`)."""

    call_id: int
    deadline: float
    parameters: dict[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.INTERACTIVE
    form: Form = Form.SCENARIO
    request_id: str = ""


class StatusRequest(Struct, tag="status", frozen=True, kw_only=True):
    """Ask how the runner is. Answered while it loads, too."""

    call_id: int


class DrainRequest(Struct, tag="drain", frozen=True, kw_only=True):
    """Ask the runner to refuse new rows, answer those it holds, and end. Answered at once with its status."""

    call_id: int


class RowFailure(Struct, frozen=True, kw_only=True):
    """Why one row has no answer: its index among the request's rows, an error code and a sentence."""

    row: int
    code: str
    detail: str


class InferReply(Struct, tag="answer", frozen=True, kw_only=True):
    """One frame per row follows, in the order asked; a failed row's frame is empty.

    Times are of the slowest row: waiting for its batch, and preprocessing plus forward.
    """

    call_id: int
    failures: list[RowFailure] = field(default_factory=list)
    queue_s: float = 0.0
    compute_s: float = 0.0


class Refusal(Struct, tag="refusal", frozen=True, kw_only=True):
    """The whole request was not done: queue_full, deadline_exceeded, draining, model_loading, model_failed."""

    call_id: int
    code: str
    detail: str
    retry_after_s: float = 1.0


class RunnerStatus(Struct, tag="status", frozen=True, kw_only=True):
    """How a runner is. `rows_per_s` is its measured best speed; its memory is what the controller weighs."""

    call_id: int
    name: str
    version: int
    digest: str
    state: RunnerState
    pid: int
    reason: str = ""
    queued_rows: int = 0
    capacity_rows: int = 0
    rows_per_s: float = 0.0
    load_s: float = 0.0
    idle_s: float = 0.0


RunnerRequest = InferRequest | StatusRequest | DrainRequest
RunnerReply = InferReply | Refusal | RunnerStatus

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(RunnerRequest).decode
decode_reply = msgspec.msgpack.Decoder(RunnerReply).decode
