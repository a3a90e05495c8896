"""The signature of a model whose manifest leaves it out: inputs from its samples, outputs from what it answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from app.errors import MissingSignature, SignatureMismatch
from model_store.manifest import ARTIFACT_FILE, SAMPLES_FILE, Datatype, Manifest, TensorSpec, check_manifest
from model_store.signature import Sample, decode_samples
from workers.runner.loaded_model import MODEL_ERRORS, TORCH_DTYPES, Layout, last_line
from workers.runner.loader import load_torchscript
from workers.runner.proof import sample_value
from workers.runner.values import Strings, Value

_DATATYPES: dict[torch.dtype, Datatype] = {dtype: name for name, dtype in TORCH_DTYPES.items()}  # type: ignore[misc]
# Three batches tell what grows with the batch from what has its size by accident.
_PROBED_BATCHES = (1, 2, 3)
# Sizes for a free dimension when no sample says what is usual.
_FREE_SIZES = (8, 11)


def complete_signature(folder: Path, manifest: Manifest) -> Manifest:
    """Return the manifest with the inputs and outputs that it lacks.

    :raises MissingSignature: when neither the samples nor the artifact say what they are.
    :raises SignatureMismatch: when the model does not run on its inputs, or answers no tensors.
    """
    if manifest.inputs and manifest.outputs:
        return manifest

    module = load_torchscript(folder / ARTIFACT_FILE, Layout.PLANES)
    samples = _read_samples(folder)
    inputs = manifest.inputs or _inputs(samples, _parameters(module))
    outputs = manifest.outputs or _outputs(module, inputs, samples)
    return check_manifest(msgspec.structs.replace(manifest, inputs=inputs, outputs=outputs))


def _read_samples(folder: Path) -> list[Sample]:
    path = folder / SAMPLES_FILE
    return decode_samples(path.read_bytes()) if path.is_file() else []


def _parameters(module: torch.nn.Module) -> list[str]:
    """Return the names of forward's parameters that have no default, in order."""
    forward: Any = module.forward
    arguments = forward.schema.arguments[1:]
    return [argument.name for argument in arguments if not argument.has_default_value()]


def _inputs(samples: Sequence[Sample], parameters: Sequence[str]) -> list[TensorSpec]:
    """Return the samples' inputs: in forward's order where their names are its parameters', else in their own."""
    if not samples:
        raise MissingSignature(
            f"The manifest has no inputs and there are no samples: send either. forward takes {', '.join(parameters)}."
        )

    first = {tensor.name: tensor for tensor in samples[0].inputs}
    if not first:
        raise MissingSignature("The manifest has no inputs, and neither has the first sample.")
    if set(parameters) <= set(first):
        first = {name: first[name] for name in parameters} | first
    shapes = {
        name: [tensor.shape for sample in samples for tensor in sample.inputs if tensor.name == name] for name in first
    }
    return [
        TensorSpec(name=name, datatype=tensor.datatype, shape=_free(shapes[name])) for name, tensor in first.items()
    ]


def _free(shapes: Sequence[Sequence[int]]) -> list[int]:
    """Return the shape that all of these fit: the batch is free, and so is each dimension in which they differ."""
    if len({len(shape) for shape in shapes}) > 1 or not shapes[0]:
        raise SignatureMismatch(f"A tensor has the shapes {list(map(list, shapes))} in the samples; none fits all.")

    return [-1, *(sizes[0] if len(set(sizes)) == 1 else -1 for sizes in list(zip(*shapes, strict=True))[1:])]


def _outputs(module: torch.nn.Module, inputs: Sequence[TensorSpec], samples: Sequence[Sample]) -> list[TensorSpec]:
    """Return what the model answers: to a first row in batches of 1, 2 and 3, and to rows of other free sizes."""
    named = [tensor.name for tensor in samples[0].outputs] if samples else []
    fixed = max(spec.shape[0] for spec in inputs)
    if fixed > 0:
        # It is only ever run with so many rows.
        answer = _named(_run(module, _probe(inputs, samples, batch=fixed)), named)
        return [_fixed(_output(name, [value]), fixed) for name, value in answer.items()]

    answers = [_named(_run(module, _probe(inputs, samples, batch=1)), named)]
    for batch in _PROBED_BATCHES[1:]:
        answers += _if_it_runs(module, _probe(inputs, samples, batch=batch), named, rows=batch)
    if not samples and any(-1 in spec.shape[1:] for spec in inputs):
        answers += _if_it_runs(module, _probe(inputs, samples, batch=1, free=_FREE_SIZES[1]), named, rows=1)
    return [_output(name, [answer[name] for answer in answers if name in answer]) for name in answers[0]]


def _if_it_runs(
    module: torch.nn.Module, inputs: list[Value], names: Sequence[str], *, rows: int
) -> list[dict[str, Value]]:
    """Return the model's answer; none when it raises or has other rows: what cannot batch has a signature too."""
    try:
        answer = _named(_run(module, inputs), names)
    except SignatureMismatch:
        return []

    return [answer] if all(value.shape and value.shape[0] == rows for value in answer.values()) else []


def _output(name: str, values: Sequence[Value]) -> TensorSpec:
    first = values[0]
    same_rank = [list(value.shape) for value in values if len(value.shape) == len(first.shape)]
    if not first.shape:
        raise SignatureMismatch(f"Output {name!r} is a single number; its first dimension has to be the batch.")

    return TensorSpec(name=name, datatype=_datatype(name, first), shape=_free(same_rank))


def _fixed(spec: TensorSpec, rows: int) -> TensorSpec:
    return msgspec.structs.replace(spec, shape=[rows, *spec.shape[1:]])


def _datatype(name: str, value: Value) -> Datatype:
    if isinstance(value, Strings):
        return "BYTES"
    if value.dtype not in _DATATYPES:
        raise SignatureMismatch(f"Output {name!r} is {value.dtype}, which the protocol has no datatype for.")

    return _DATATYPES[value.dtype]


def _probe(
    inputs: Sequence[TensorSpec], samples: Sequence[Sample], *, batch: int, free: int = _FREE_SIZES[0]
) -> list[Value]:
    """Return `batch` rows: the first sample's first one again and again, made-up ones when there is no sample."""
    if not samples:
        return [_made_up(spec, [batch, *(free if size == -1 else size for size in spec.shape[1:])]) for spec in inputs]

    stored = {tensor.name: sample_value(tensor) for tensor in samples[0].inputs}
    missing = [spec.name for spec in inputs if spec.name not in stored]
    if missing:
        raise SignatureMismatch(f"A sample lacks the tensor {missing[0]!r}.")
    return [_repeated(stored[spec.name], batch) for spec in inputs]


def _repeated(value: Value, batch: int) -> Value:
    rows = value.shape[0]
    if isinstance(value, Tensor):
        return value[:1].repeat(batch, *([1] * (value.dim() - 1)))

    row = value.elements[: len(value.elements) // rows]
    return Strings(row * batch, (batch, *value.shape[1:]))


def _made_up(spec: TensorSpec, shape: list[int]) -> Value:
    """Return ones: in range for an index, and different from what padding is."""
    if spec.datatype == "BYTES":
        return Strings(["a"] * int(torch.Size(shape).numel()), tuple(shape))

    return torch.ones(shape, dtype=TORCH_DTYPES[spec.datatype])


def _run(module: torch.nn.Module, inputs: Sequence[Value]) -> Any:
    arguments = [value.elements if isinstance(value, Strings) else value for value in inputs]
    try:
        with torch.inference_mode():
            return module(*arguments)
    except MODEL_ERRORS as err:
        shapes = ", ".join(str(list(value.shape)) for value in inputs)
        raise SignatureMismatch(f"The model raised on inputs of shape {shapes}: {last_line(err)}") from err


def _named(answer: Any, names: Sequence[str]) -> dict[str, Value]:
    """Return the outputs by name: the model's own for a dictionary or named tuple, the samples', or counted ones."""
    if isinstance(answer, Mapping):
        parts = dict(answer)
    elif hasattr(answer, "_fields"):
        parts = dict(zip(answer._fields, answer, strict=True))
    else:
        several = list(answer) if isinstance(answer, tuple) else [answer]
        counted = ["output"] if len(several) == 1 else [f"output_{number}" for number in range(len(several))]
        parts = dict(zip(names if len(names) == len(several) else counted, several, strict=True))
    ordered = [*(name for name in names if name in parts), *(name for name in parts if name not in names)]
    return {name: _value(name, parts[name]) for name in ordered}


def _value(name: str, part: Any) -> Value:
    if isinstance(part, list) and part and all(isinstance(element, str) for element in part):
        return Strings(part, (len(part),))
    if not isinstance(part, Tensor):
        raise SignatureMismatch(f"Output {name!r} is a {type(part).__name__}, not a tensor.")

    return part
