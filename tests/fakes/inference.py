"""An inference client without runners; tests/contract/test_inference_fake.py holds it against the real one."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

from app.errors import DeadlineExceeded, GalleyError
from app.inference.client import CallOptions, InferAnswer
from app.inference.directory import RunnerRecord
from app.inference.messages import Form, Lane, RowFailure, RunnerState, SequenceCall, Traced
from app.scenarios.images import ImageAnswer, LabelScore, encode_answer
from model_store.model_ref import ModelRef

NOT_AN_IMAGE = b"not an image"


@dataclass(frozen=True, kw_only=True)
class FakeCall:
    """One call, as it came."""

    ref: ModelRef
    rows: Sequence[bytes]
    deadline: float
    parameters: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""
    traceparent: str = ""
    client_id: str = ""
    form: Form = Form.SCENARIO
    lane: Lane = Lane.INTERACTIVE
    sequences: Sequence[SequenceCall] = ()
    traced: Sequence[Traced] = ()


def label_by_size(row: bytes, top_k: int) -> bytes:
    """Answer a row with labels that tell its size in bytes, so that a swapped row shows."""
    labels = [LabelScore(rank, f"{len(row)} bytes", 1.0 / (rank + 1)) for rank in range(min(top_k, 3))]
    return encode_answer(ImageAnswer(labels, width=8, height=6))


@dataclass
class FakeInferenceClient:
    """Answers like a runner of an image classifier with three classes; remembers its calls.

    `error` is raised instead of an answer. Rows that are NOT_AN_IMAGE fail alone.
    """

    error: GalleyError | None = None
    answer: Callable[[bytes, int], bytes] = label_by_size
    calls: list[FakeCall] = field(default_factory=list)
    is_closed: bool = False

    def infer(
        self, ref: ModelRef, rows: Sequence[bytes], *, deadline: float, **options: Unpack[CallOptions]
    ) -> InferAnswer:
        """Answer at once."""
        call = FakeCall(ref=ref, rows=rows, deadline=deadline, **options)
        self.calls.append(call)
        if self.error:
            raise self.error
        if deadline <= time.monotonic():
            raise DeadlineExceeded(0.0)

        answers = [self._row(number, row, call.parameters.get("top_k", 5)) for number, row in enumerate(rows)]
        return InferAnswer(rows=answers, queue_s=0.001, compute_s=0.002, runner=make_record(ref))

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    def _row(self, number: int, row: bytes, top_k: int) -> bytes | RowFailure:
        if row == NOT_AN_IMAGE:
            return RowFailure(row=number, code="unsupported_image", detail="The bytes are not an image.")

        return self.answer(row, top_k)


@dataclass
class FakeHeavyClient(FakeInferenceClient):
    """Answers as the other does; remembers the digests of the versions that were asked."""

    digests: list[str] = field(default_factory=list)

    def infer(
        self, ref: ModelRef, rows: Sequence[bytes], *, digest: str, deadline: float, **options: Unpack[CallOptions]
    ) -> InferAnswer:
        """Answer at once."""
        self.digests.append(digest)
        return super().infer(ref, rows, deadline=deadline, **options)


@dataclass
class FakeHeavyWorkers:
    """Celery workers that serve heavy models: as many slots as the test says."""

    count: int = 1

    def slots(self) -> int:
        """Return how many."""
        return self.count


def make_record(ref: ModelRef, **changes: Any) -> RunnerRecord:
    """Return the record of a READY runner of `ref`, with `changes` made."""
    fields: dict[str, Any] = {
        "name": ref.name,
        "version": ref.version,
        "digest": "0" * 64,
        "state": RunnerState.READY,
        "address": "ipc:///run/runners/tiny-1.sock",
        "pid": 4711,
        "host": "here",
    }
    return RunnerRecord(**{**fields, **changes})
