"""A model in memory, behind one call that checks what goes out against the manifest."""

import enum
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from app.errors import ModelFailed, SignatureMismatch
from model_store.manifest import Manifest, TensorSpec
from workers.runner.values import Strings, Value

logger = logging.getLogger(__name__)

TORCH_DTYPES: dict[str, torch.dtype] = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "UINT16": torch.uint16,
    "UINT32": torch.uint32,
    "UINT64": torch.uint64,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "FP16": torch.float16,
    "BF16": torch.bfloat16,
    "FP32": torch.float32,
    "FP64": torch.float64,
}
# What model code raises. `raise` in scripted code is a torch.jit.Error, which is no RuntimeError; torch's own are.
MODEL_ERRORS = (
    torch.jit.Error, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError, MemoryError,
)  # fmt: skip


class Layout(enum.Enum):
    """How a batch of pictures lies in memory: plane by plane, or pixel by pixel, which many convolutions prefer."""

    PLANES = torch.contiguous_format
    PIXELS = torch.channels_last

    def applied(self, tensor: Tensor) -> Tensor:
        """Return the tensor so laid out; only those of four dimensions have a choice."""
        return tensor.contiguous(memory_format=self.value) if tensor.dim() == 4 else tensor


class LoadedModel:
    """A loaded artifact with its manifest. `forward` may be called by several threads at once."""

    def __init__(self, manifest: Manifest, module: torch.nn.Module, *, layout: Layout = Layout.PLANES) -> None:
        self.manifest = manifest
        self._module = module
        self._layout = layout

    @property
    def forks(self) -> bool:
        """Whether it runs parts of itself side by side, on threads of torch's own."""
        # A graph of its own must be held while its nodes are looked at.
        graph = getattr(self._module, "inlined_graph", None)
        return graph is not None and bool(graph.findAllNodes("prim::fork"))

    def forward(self, inputs: Sequence[Value]) -> list[Value]:
        """Run one batch: values with the batch first, in the manifest's order, and so come the outputs.

        A batch without rows is answered without asking the model: many raise on it.

        :raises ModelFailed: when the model raises.
        :raises SignatureMismatch: when it answers other values than its manifest says.
        """
        rows = inputs[0].shape[0]
        if rows == 0:
            return [_without_rows(spec) for spec in self.manifest.outputs]

        try:
            with torch.inference_mode():
                answer = self._module(*(self._argument(value) for value in inputs))
        except MODEL_ERRORS as err:
            logger.warning("model %s/%s raised: %s", self.manifest.name, self.manifest.version, err)
            raise ModelFailed(f"The model raised: {last_line(err)}") from err

        outputs = _in_order(answer, self.manifest.outputs)
        values = [_as_value(spec, output, rows) for spec, output in zip(self.manifest.outputs, outputs, strict=True)]
        for spec, value in zip(self.manifest.outputs, values, strict=True):
            check_tensor(spec, value, rows=rows)
        return values

    def _argument(self, value: Value) -> Tensor | list[str]:
        return value.elements if isinstance(value, Strings) else self._layout.applied(value)


def check_tensor(spec: TensorSpec, value: Value, *, rows: int | None = None) -> None:
    """Check a value against its specification, and its first dimension against the number of rows if given.

    :raises SignatureMismatch: saying what it is and what it should be.
    """
    if isinstance(value, Strings):
        if spec.datatype != "BYTES":
            raise SignatureMismatch(f"Tensor {spec.name!r} is a list of strings; its signature says {spec.datatype}.")
    elif value.dtype != TORCH_DTYPES.get(spec.datatype):
        raise SignatureMismatch(f"Tensor {spec.name!r} is {value.dtype}; its signature says {spec.datatype}.")

    shape = list(value.shape)
    fits = len(shape) == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        raise SignatureMismatch(f"Tensor {spec.name!r} has shape {shape}; its signature says {spec.shape}.")
    if rows is not None and shape[0] != rows:
        raise SignatureMismatch(f"Tensor {spec.name!r} has {shape[0]} rows for a batch of {rows}.")


def last_line(err: BaseException) -> str:
    """Return the line of a torch error that says what went wrong; those before it are the model's traceback."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[-1] if lines else type(err).__name__


def _without_rows(spec: TensorSpec) -> Value:
    """Return a value of no rows; its other free dimensions have no elements either."""
    shape = (0, *(max(0, size) for size in spec.shape[1:]))
    return Strings([], shape) if spec.datatype == "BYTES" else torch.empty(shape, dtype=TORCH_DTYPES[spec.datatype])


def _in_order(answer: Any, specs: Sequence[TensorSpec]) -> list[Any]:
    """Return what the model answered as one entry per output."""
    if isinstance(answer, Mapping):
        outputs = [answer[spec.name] for spec in specs if spec.name in answer]
    elif isinstance(answer, Tensor) or (_is_strings(answer) and len(specs) == 1 and specs[0].datatype == "BYTES"):
        outputs = [answer]
    elif isinstance(answer, tuple | list):
        outputs = list(answer)
    else:
        raise SignatureMismatch(f"The model answers a {type(answer).__name__}, not tensors.")

    if len(outputs) != len(specs) or not all(isinstance(output, Tensor) or _is_strings(output) for output in outputs):
        raise SignatureMismatch(f"The model answers {len(outputs)} values; its signature has {len(specs)} outputs.")
    return outputs


def _is_strings(output: Any) -> bool:
    return isinstance(output, list) and all(isinstance(element, str) for element in output)


def _as_value(spec: TensorSpec, output: Tensor | list[str], rows: int) -> Value:
    """Return an output as a value; a list of strings takes its shape from the signature, as far as it fits."""
    if isinstance(output, Tensor):
        return output

    inner = spec.shape[1:]
    fixed = rows * math.prod(size for size in inner if size != -1)
    if -1 in inner and fixed:
        inner = [len(output) // fixed if size == -1 else size for size in inner]
    width = math.prod(inner)
    if width == 0 or len(output) % width:
        raise SignatureMismatch(
            f"Tensor {spec.name!r} has {len(output)} strings for a batch of {rows}; its signature says {spec.shape}."
        )
    return Strings(output, (len(output) // width, *inner))
