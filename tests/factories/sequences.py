"""A model that remembers, small enough that a test knows its answers.

An event is a decimal number; the answer says how many events there were, and their fold: fold' = 3 * fold + number.
Events that come in another order give another fold.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import GalleyError, UnreadableImage
from app.inference.messages import Form, InferRequest, SequenceCall
from model_store.manifest import ARTIFACT_FILE, Manifest, StateSpec
from tests.factories.models import save_scripted, tensor
from tests.factories.tensors import spec
from workers.runner.batch import BatchRunner, Work
from workers.runner.calls import Call, Row
from workers.runner.loader import load_model
from workers.runner.pipelines.base import Limits, PreparedRow, Rehearsal, SequencePipeline
from workers.runner.sequences import SequenceRunner
from workers.runner.state import StateLayout
from workers.runner.values import Value

BASE = 3
CRASHES = 666
"""The model raises when it is given this number."""


class Folds(nn.Module):
    """Folds a number into what it remembers, and counts."""

    def forward(self, number: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        if bool((number == 666).any()):
            raise ValueError("a number that it does not like")
        after = torch.stack([memory[:, 0] + 1, 3 * memory[:, 1] + number[:, 0]], dim=1)
        return after, after


class FoldingPipeline(SequencePipeline):
    """Reads decimal numbers."""

    def read_parameters(self, raw: dict[str, Any]) -> Any:
        return raw

    def is_quick(self, data: bytes, parameters: Any) -> bool:
        return True

    def prepare(self, data: bytes, parameters: Any) -> PreparedRow:
        return self.resume(b"", data, parameters)

    def resume(self, state: bytes, data: bytes, parameters: Any) -> PreparedRow:
        if not data.isdigit():
            raise UnreadableImage("An event is a decimal number.")
        memory = StateLayout(self.manifest).read(state)["memory"]
        return PreparedRow((torch.tensor([[int(data)]], dtype=torch.int64), memory))

    def states(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes]:
        return StateLayout(self.manifest).write(outputs)

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        return [f"{count}:{fold}".encode() for count, fold in tensor(outputs[0]).tolist()]

    def rehearsal(self, usual: Any = ()) -> Rehearsal:
        return Rehearsal(b"1")


def folds_manifest(**changes: Any) -> Manifest:
    """Return the manifest of Folds."""
    fields: dict[str, Any] = {
        "name": "folds",
        "task": "sequence-scoring",
        "inputs": [spec("number", "INT64", [-1, 1]), spec("memory", "INT64", [-1, 2])],
        "outputs": [spec("answer", "INT64", [-1, 2]), spec("memory_after", "INT64", [-1, 2])],
        "state": [StateSpec(input="memory", output="memory_after", shape=[2])],
        "max_batch_size": 64,
    }
    return Manifest(**{**fields, **changes})


def make_folds(folder: Path, store: Any, **changes: Any) -> SequenceRunner:
    """Return a runner of Folds whose sequences are remembered in `store`; `changes` are the manifest's."""
    manifest = folds_manifest(**changes)
    save_scripted(Folds(), folder / ARTIFACT_FILE)
    batches = BatchRunner(load_model(folder, manifest), {Form.SCENARIO: FoldingPipeline(manifest, Limits())})
    return SequenceRunner(batches, store)


def make_event(key: str, content: int | str, event: str = "", **more: Any) -> tuple[bytes, SequenceCall]:
    """Return a row and the sequence that it goes on with."""
    return str(content).encode(), SequenceCall(key=key, keep_s=100, event=event, answer_keep_s=50, **more)


def make_event_rows(events: Sequence[tuple[bytes, SequenceCall]], *, left_s: float = 60.0) -> list[Row]:
    """Return the rows of one call."""
    request = InferRequest(
        call_id=1, deadline=time.monotonic() + left_s, sequences=[sequence for _, sequence in events]
    )
    rows = Call(b"caller", request, [data for data, _ in events], parameters={}).rows
    for row in rows:
        row.queued_at = time.monotonic()
    return rows


def answers_of(runner: SequenceRunner, events: Sequence[tuple[bytes, SequenceCall]], **more: Any) -> list[str]:
    """Send events as one batch; return each one's answer, or the code of its error."""
    works = runner.prepare(make_event_rows(events, **more))
    runner.forward(works, limit=64)
    return told(works)


def told(works: Sequence[Work]) -> list[str]:
    """Return the answer of each row, or the code of its error."""
    return [
        work.answer.code if isinstance(work.answer, GalleyError) else bytes(work.answer or b"").decode()
        for work in works
    ]


def folded(numbers: Sequence[int]) -> str:
    """Return the answer to the last of these events."""
    fold = 0
    for number in numbers:
        fold = BASE * fold + number
    return f"{len(numbers)}:{fold}"
