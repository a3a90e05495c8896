"""What a sequence remembers between calls, kept outside any process: bytes in, tensors for the model, bytes out.

The bytes of a sequence are its state tensors in the order of the manifest's `state`, each flat, row-major and
little-endian, with nothing between them. No bytes at all stand for a sequence that has just begun.
"""

import math
import sys
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

import torch
from torch import Tensor

from app.errors import InvalidManifest, ModelFailed
from model_store.manifest import Manifest
from workers.runner.loaded_model import TORCH_DTYPES
from workers.runner.values import Packed, Value

# It travels with every event, and there are as many as there are sequences.
MAX_STATE_BYTES: Final = 2**16

# Tensors lie in memory as they do on the wire, so that none is turned round.
assert sys.byteorder == "little"


class StateLayout:
    """Where a model's state tensors lie in a sequence's bytes. Several threads may use it at once.

    The manifest is one that passed `check_task`. `size_bytes` is how many a state takes, however long the sequence.

    :raises InvalidManifest: on construction, when the state takes too many bytes.
    """

    def __init__(self, manifest: Manifest) -> None:
        datatypes = {spec.name: spec.datatype for spec in manifest.inputs}
        outputs = [spec.name for spec in manifest.outputs]
        self.inputs = [state.input for state in manifest.state]
        self._shapes = [(1, *state.shape) for state in manifest.state]
        self._dtypes = [TORCH_DTYPES[datatypes[name]] for name in self.inputs]
        self._outputs = [outputs.index(state.output) for state in manifest.state]
        ends = list(accumulate(map(_size_bytes, self._shapes, self._dtypes)))
        self._places = [slice(start, end) for start, end in pairwise([0, *ends])]
        self.size_bytes = ends[-1] if ends else 0
        if self.size_bytes > MAX_STATE_BYTES:
            raise InvalidManifest(
                f"The state of a sequence would take {self.size_bytes} bytes; {MAX_STATE_BYTES} is the limit."
            )
        first = [
            torch.full(shape, state.init, dtype=dtype)
            for state, shape, dtype in zip(manifest.state, self._shapes, self._dtypes, strict=True)
        ]
        (self._initial,) = _packed(first)

    def read(self, state: bytes) -> dict[str, Packed]:
        """Return the tensors of one sequence by the names of the inputs that take them, each with a batch of one.

        :raises ModelFailed: when the bytes are another model's.
        """
        data = state or self._initial
        if len(data) != self.size_bytes:
            raise ModelFailed(f"The sequence's state has {len(data)} bytes; the model's takes {self.size_bytes}.")

        parts = zip(self.inputs, self._places, self._dtypes, self._shapes, strict=True)
        return {name: Packed(data[place], dtype, shape) for name, place, dtype, shape in parts}

    def write(self, outputs: Sequence[Value]) -> list[bytes]:
        """Return the state of each row, from the model's outputs in the manifest's order."""
        tensors = [outputs[place] for place in self._outputs]
        return _packed([tensor for tensor in tensors if isinstance(tensor, Tensor)])


def _size_bytes(shape: Sequence[int], dtype: torch.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _packed(tensors: Sequence[Tensor]) -> list[bytes]:
    """Return the bytes of each row of a batch, those of its tensors one after the other."""
    rows = [tensor.contiguous().view(len(tensor), -1).view(torch.uint8) for tensor in tensors]
    return [row.tobytes() for row in torch.cat(rows, dim=1).numpy()]
