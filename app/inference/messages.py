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


class SequenceCall(Struct, array_like=True, frozen=True, kw_only=True):
    """The sequence that a row goes on with: it meets what the rows before it left, and leaves its own."""

    key: str
    keep_s: int
    """Seconds that the sequence is remembered after this row."""
    event: str = ""
    """Names the row within its sequence: who sends it again gets the first answer, and nothing moves.

    Numbered rows may share a name: the last one's answer is kept then.
    """
    answer_keep_s: int = 0
    """Seconds that the answer is kept for that."""
    number: int = 0
    """The row's number within its sequence, where rows are numbered from 1 and come in that order; else 0."""
    after: int = 0
    """The number of the row before it."""
    mark: str = ""
    """A key that is set to `mark_number` with the move, if it holds less."""
    mark_number: int = 0
    mark_keep_s: int = 0
    """Seconds that the mark is kept; 0 is as long as the sequence."""


class Traced(Struct, array_like=True, frozen=True, kw_only=True):
    """A request that rows came by, whose caller traces it: whoever works on them tells of it in its log."""

    request_id: str
    traceparent: str


class InferRequest(Struct, tag="infer", frozen=True, kw_only=True, omit_defaults=True):
    """Ask for one answer per row frame. `parameters` are the pipeline's (`{"top_k": 5}`).

    `sequences` has an entry for each row, or none at all.
    """

    call_id: int
    deadline: float
    parameters: dict[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.INTERACTIVE
    form: Form = Form.SCENARIO
    request_id: str = ""
    client_id: str = ""
    """Who asks: the rows of different clients take turns."""
    sequences: list[SequenceCall] = field(default_factory=list)
    traced: list[Traced] = field(default_factory=list)
    """The requests that the rows came by, as far as they are traced: the events of many sockets go in one call."""


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


class RunnerLoad(Struct, array_like=True, frozen=True, kw_only=True):
    """How busy a runner is as it answers: what makes the next call wait."""

    queued_rows: int
    """Rows that wait."""
    computing_rows: int
    """Rows that wait no more and are not answered yet."""
    clients: int
    """How many clients have rows that wait."""
    row_cost_s: float
    """Seconds a row takes at present, with batching and all cores at work."""


class InferReply(Struct, tag="answer", frozen=True, kw_only=True):
    """One frame per row follows, in the order asked; a failed row's frame is empty.

    Times are of the slowest row: waiting for its batch, and preprocessing plus forward.
    """

    call_id: int
    failures: list[RowFailure] = field(default_factory=list)
    queue_s: float = 0.0
    compute_s: float = 0.0
    load: RunnerLoad | None = None


class Refusal(Struct, tag="refusal", frozen=True, kw_only=True):
    """The whole request was not done.

    Why: queue_full, share_exceeded, deadline_exceeded, draining, model_loading, model_failed.
    """

    call_id: int
    code: str
    detail: str
    retry_after_s: float = 1.0
    load: RunnerLoad | None = None


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
