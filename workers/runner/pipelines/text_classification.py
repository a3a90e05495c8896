"""The text pipeline: a whole text, or the next piece of one → strings or byte tokens → scores → labels, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from torch import Tensor

from app.errors import GalleyError, InvalidFields, InvalidManifest, ModelFailed
from app.scenarios.images import LabelScore
from app.scenarios.text import (
    MAX_TEXT_BYTES,
    TASK,
    TextParameters,
    TextPiece,
    decode_piece,
    read_parameters,
)
from model_store.manifest import Manifest, TensorSpec
from model_store.signature import SampleTensor
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.pipelines.base import Limits, PreparedRow, Rehearsal, SequencePipeline
from workers.runner.pipelines.best_labels import BestLabels
from workers.runner.pipelines.registry import register
from workers.runner.pipelines.text_tokens import to_tokens
from workers.runner.state import StateLayout
from workers.runner.values import Packed, Part, Strings, Value

# More takes longer to copy than to hand to a thread.
QUICK_BYTES = 2**16
# Those that hold all bytes, and what stands behind and between texts.
_TOKEN_DATATYPES = ("INT16", "INT32", "INT64")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row is: a whole text of which so many labels are wanted, or a piece, of which the best one is."""

    top_k: int
    is_piece: bool
    is_last: bool


@register(TASK)
class TextPipeline(SequencePipeline):
    """Classify texts. A model that takes byte tokens and keeps state reads them in pieces, too."""

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        super().__init__(manifest, limits, assets)
        self._best = BestLabels(manifest)
        self._state = StateLayout(manifest) if manifest.state else None
        self._encode = msgspec.json.Encoder().encode
        (self._read,) = _read_by(manifest)
        if manifest.state:
            _check_tokens(self._read)

    @classmethod
    def serves(cls, manifest: Manifest) -> bool:
        """Say whether it takes texts, or byte tokens and its state, and nothing else."""
        taken = _read_by(manifest)
        return len(taken) == 1 and (taken[0].datatype == "BYTES") != bool(manifest.state)

    def read_parameters(self, raw: dict[str, Any]) -> TextParameters:
        """Return how many labels are wanted."""
        return read_parameters(raw)

    def is_quick(self, data: bytes, _parameters: TextParameters) -> bool:
        """Say whether it is no very long text."""
        return len(data) <= QUICK_BYTES

    def prepare(self, data: bytes, parameters: TextParameters) -> PreparedRow:
        """Read a whole text."""
        _check_length(data)
        try:
            text = data.decode()
        except UnicodeDecodeError as err:
            raise InvalidFields({"text": [f"It is no UTF-8 at byte {err.start}."]}) from err

        asked = Asked(parameters.top_k, is_piece=False, is_last=True)
        if self._state is None:
            return PreparedRow((Strings([text], (1,)),), asked)
        return PreparedRow(self._inputs(self._state.read(b""), data, is_last=True), asked)

    def resume(self, state: bytes, data: bytes, _parameters: TextParameters) -> PreparedRow:
        """Read a text's next piece."""
        if self._state is None:
            raise ModelFailed("The model reads whole texts only: its manifest declares no state.")
        try:
            piece: TextPiece = decode_piece(data)
        except msgspec.MsgspecError as err:
            raise InvalidFields({"row": [f"{err}."]}) from err

        _check_length(piece.text)
        inputs = self._inputs(self._state.read(state), piece.text, is_last=piece.is_last)
        return PreparedRow(inputs, Asked(1, is_piece=True, is_last=piece.is_last))

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return what each text, or what there is of it, is taken for."""
        assert isinstance(outputs[0], Tensor)
        asked: list[Asked] = [row.context for row in rows]
        found = self._best.find(outputs[0], [one.top_k for one in asked])
        return [
            labels if isinstance(labels, GalleyError) else self._answer(one, labels)
            for one, labels in zip(asked, found, strict=True)
        ]

    def states(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes]:
        """Return what is remembered of each text; of one that is complete, nothing."""
        after = self._state.write(outputs) if self._state is not None else [b""] * len(rows)
        return [b"" if row.context.is_last else state for row, state in zip(rows, after, strict=True)]

    def rehearsal(self, _usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return a text with letters of one, two and four bytes."""
        return Rehearsal("Grüße from the galley: where is my parcel? \N{SAILBOAT}\N{ROWBOAT}".encode())

    def _inputs(self, remembered: Mapping[str, Packed], text: bytes, *, is_last: bool) -> tuple[Part, ...]:
        tokens = to_tokens(text, is_last=is_last, datatype=self._read.datatype)
        return tuple([remembered.get(spec.name, tokens) for spec in self.manifest.inputs])

    def _answer(self, asked: Asked, labels: list[LabelScore]) -> bytes:
        best = labels[0]
        if asked.is_piece:
            return self._encode({"label": best.label, "score": best.score, "final": asked.is_last})

        return self._encode({"label": best.label, "score": best.score, "labels": labels})


def _read_by(manifest: Manifest) -> list[TensorSpec]:
    """Return the inputs that are no state."""
    remembered = {state.input for state in manifest.state}
    return [spec for spec in manifest.inputs if spec.name not in remembered]


def _check_tokens(spec: TensorSpec) -> None:
    if spec.datatype not in _TOKEN_DATATYPES or spec.shape != [-1, -1]:
        raise InvalidManifest(
            f"Input {spec.name!r} of a text classifier that keeps state is byte tokens: {', '.join(_TOKEN_DATATYPES)} "
            "of shape [-1, -1]."
        )


def _check_length(text: bytes) -> None:
    if len(text) > MAX_TEXT_BYTES:
        raise InvalidFields({"text": [f"It has {len(text)} bytes; {MAX_TEXT_BYTES} is the limit."]})
