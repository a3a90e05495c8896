"""Requests a runner holds: a call, its rows, and the answer that grows as rows are done, in whatever order."""

from collections.abc import Sequence
from typing import Any

from app.errors import GalleyError
from app.inference.messages import Form, InferReply, InferRequest, Lane, RowFailure, RunnerLoad, SequenceCall, encode


class Call:
    """One request with its rows. It is over when every row is done, or at once when it is refused."""

    def __init__(self, identity: bytes, request: InferRequest, data: Sequence[bytes], *, parameters: Any) -> None:
        self.identity = identity
        self.call_id = request.call_id
        self.request_id = request.request_id
        self.client_id = request.client_id
        self.deadline = request.deadline
        self.lane: Lane = request.lane
        self.form: Form = request.form
        self.parameters = parameters
        sequences: Sequence[SequenceCall | None] = request.sequences or [None] * len(data)
        self.rows = [Row(self, index, *each) for index, each in enumerate(zip(data, sequences, strict=True))]
        self.is_over = False
        self.held_up: set[str] = set()
        """The sequences of which a row came to nothing that may come again: those behind it are not to overtake it."""
        self._answers: list[bytes] = [b""] * len(self.rows)
        self._failures: list[RowFailure] = []
        self._open_rows = len(self.rows)
        self._queue_s = 0.0
        self._compute_s = 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes of all its rows as they came."""
        return sum(row.size_bytes for row in self.rows)

    def finish(self, index: int, answer: bytes | GalleyError) -> bool:
        """Take the answer, or the failure, of one row; return whether it was the last."""
        if isinstance(answer, GalleyError):
            self._failures.append(RowFailure(row=index, code=answer.code, detail=answer.detail))
        else:
            self._answers[index] = answer
        self._open_rows -= 1
        self.is_over = self._open_rows == 0
        return self.is_over

    def took(self, *, queue_s: float, compute_s: float) -> None:
        """Note how long a row waited and computed; the slowest row counts."""
        self._queue_s = max(self._queue_s, queue_s)
        self._compute_s = max(self._compute_s, compute_s)

    def reply(self, load: RunnerLoad | None) -> list[bytes]:
        """Return the frames of the answer, with how busy the runner is if one answers."""
        header = InferReply(
            call_id=self.call_id,
            failures=sorted(self._failures, key=lambda failure: failure.row),
            queue_s=self._queue_s,
            compute_s=self._compute_s,
            load=load,
        )
        return [encode(header), *self._answers]

    def let_go(self) -> None:
        """Forget its rows and answers: rows know their call, and such a circle keeps its bytes for long."""
        self.rows = []
        self._answers = []


class Row:
    """One row of a call: its place there and its bytes. Two rows are the same only if they are one object."""

    __slots__ = ("call", "data", "index", "queued_at", "sequence", "size_bytes")

    def __init__(self, call: Call, index: int, data: bytes, sequence: SequenceCall | None = None) -> None:
        self.call = call
        self.index = index
        self.data = data
        self.sequence = sequence
        self.size_bytes = len(data)
        self.queued_at = 0.0

    def release(self) -> None:
        """Let go of the bytes, which nobody needs once they were read."""
        self.data = b""
