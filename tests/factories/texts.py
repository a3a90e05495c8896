"""A text classifier of random weights behind its pipeline: nothing is learned, and every byte of a text counts."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import torch
from torch import nn

from app.errors import GalleyError
from app.scenarios.text import TextParameters, TextPiece, encode_piece
from model_store.manifest import Manifest, StateSpec
from tests.factories.tensors import spec
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Limits, PreparedRow
from workers.runner.pipelines.text_classification import TextPipeline
from workers.runner.values import joined
from workers.training.text_model import LARGEST_ENTRY, GramHasher, TextClassifier

LABELS = ["question", "complaint", "praise", "order"]
BUCKETS = 512
COLUMNS = 6


def make_classifier(*, seed: int = 0) -> TextClassifier:
    """Return a classifier whose scores differ from text to text by some units."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(-LARGEST_ENTRY, LARGEST_ENTRY + 1, (BUCKETS, COLUMNS + 1), generator=generator).float()
    table[:, -1] = torch.randint(0, 2, (BUCKETS,), generator=generator)
    head = nn.Linear(COLUMNS, len(LABELS))
    head.weight = nn.Parameter(torch.randn(len(LABELS), COLUMNS, generator=generator) / LARGEST_ENTRY)
    head.bias = nn.Parameter(torch.randn(len(LABELS), generator=generator))
    return TextClassifier(GramHasher(orders=(2, 4), buckets=BUCKETS), table, head).eval()


def text_manifest(**changes: Any) -> Manifest:
    """Return its manifest, with `changes` made."""
    fields: dict[str, Any] = {
        "task": "text-classification",
        "inputs": [
            spec("tokens", "INT16", [-1, -1]),
            spec("tail", "UINT8", [-1, 3]),
            spec("sums", "INT64", [-1, COLUMNS + 1]),
        ],
        "outputs": [
            spec("logits", "FP32", [-1, len(LABELS)]),
            spec("tail_after", "UINT8", [-1, 3]),
            spec("sums_after", "INT64", [-1, COLUMNS + 1]),
        ],
        "state": [
            StateSpec(input="tail", output="tail_after", shape=[3]),
            StateSpec(input="sums", output="sums_after", shape=[COLUMNS + 1]),
        ],
        "labels": LABELS,
    }
    return Manifest(**{**fields, **changes})


class TextDesk:
    """A pipeline and its model: texts in, answers out, one batch a call."""

    def __init__(self) -> None:
        manifest = text_manifest()
        self.pipeline = TextPipeline(manifest, Limits())
        self.model = LoadedModel(manifest, torch.jit.script(make_classifier()))

    def read(self, *texts: bytes, top_k: int = 5) -> list[dict[str, Any]]:
        """Return the answers of whole texts."""
        rows = [self.pipeline.prepare(text, TextParameters(top_k=top_k)) for text in texts]
        return [answer for row in rows for answer in self._answers([row])[0]]

    def go_on(self, states: Sequence[bytes], pieces: Sequence[TextPiece]) -> tuple[list[dict[str, Any]], list[bytes]]:
        """Return the answers of the next pieces of some texts, and the states after; they are about as long."""
        rows = [
            self.pipeline.resume(state, encode_piece(piece), TextParameters())
            for state, piece in zip(states, pieces, strict=True)
        ]
        return self._answers(rows)

    def stream(self, pieces: Iterable[bytes]) -> dict[str, Any]:
        """Return the answer of a text that comes in pieces, and then ends."""
        state = b""
        for piece in pieces:
            _, (state,) = self.go_on([state], [TextPiece(piece)])
        (answer,), (state,) = self.go_on([state], [TextPiece(b"", is_last=True)])
        assert state == b""
        return answer

    def _answers(self, rows: Sequence[PreparedRow]) -> tuple[list[dict[str, Any]], list[bytes]]:
        outputs = self.model.forward([joined(values) for values in zip(*(row.inputs for row in rows), strict=True)])
        return [_decoded(each) for each in self.pipeline.encode(rows, outputs)], self.pipeline.states(rows, outputs)


def cut(text: bytes, places: Iterable[int]) -> list[bytes]:
    """Return a text in pieces, cut at these places as far as they are in it."""
    cuts = sorted({0, len(text), *(place for place in places if place < len(text))})
    return [text[start:stop] for start, stop in pairwise(cuts)]


def _decoded(answer: bytes | GalleyError) -> dict[str, Any]:
    assert isinstance(answer, bytes), answer
    decoded: dict[str, Any] = msgspec.json.decode(answer)
    return decoded
