"""The tensor pipeline: a v2 request body → named tensors → the model → a v2 response body, for any signature."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import torch

from app.errors import GalleyError, InvalidTensor
from app.inference.messages import Form
from app.scenarios.tensor_answers import AnswerWriter
from app.scenarios.tensor_elements import TensorData, to_binary
from app.scenarios.tensor_frames import TensorParameters, read_parameters
from app.scenarios.tensors import RequestReader, TensorRequest
from model_store.manifest import Manifest, TensorSpec
from model_store.signature import SampleTensor, numpy_dtype, to_array
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.loaded_model import TORCH_DTYPES
from workers.runner.pipelines.base import Limits, Pipeline, PreparedRow, Rehearsal
from workers.runner.pipelines.registry import register, register_for_all
from workers.runner.values import Strings, Value, sliced

# JSON that a decoder reads in some tenths of a millisecond, and binary data that are copied in as little.
QUICK_JSON_BYTES = 2**16
QUICK_BINARY_BYTES = 2**20
# Most calls of the model that one request may cost: some seconds of a small model. A request of tiny rows, or of rows
# without elements, would keep a thread until its deadline.
MAX_CALLS = 2**16
# Stands in for a free dimension in the made-up row.
FREE_DIMENSION = 8


@register("tensor")
@register_for_all(Form.TENSORS)
class TensorPipeline(Pipeline):
    """Answer v2 inference requests: one row of a call is one request, which holds any number of rows for the model."""

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        super().__init__(manifest, limits, assets)
        self._reader = RequestReader(manifest.inputs, manifest.outputs)
        self._writer = AnswerWriter(manifest)

    def read_parameters(self, raw: dict[str, Any]) -> TensorParameters:
        """Return how many bytes of the body are JSON, and the variant to name in the answer."""
        return read_parameters(raw)

    def is_quick(self, data: bytes, parameters: TensorParameters) -> bool:
        """Say whether the body is small; binary data may be larger than JSON."""
        json_bytes = len(data) if parameters.json_bytes is None else parameters.json_bytes
        return json_bytes <= QUICK_JSON_BYTES and len(data) <= QUICK_BINARY_BYTES

    def prepare(self, data: bytes, parameters: TensorParameters) -> PreparedRow:
        """Read one request; the context is the request without its inputs."""
        request = self._reader.read(data, parameters.json_bytes)
        most = MAX_CALLS * self.manifest.max_batch_size
        if self.manifest.is_batched and request.rows > most:
            raise InvalidTensor(
                f"Tensor {self.manifest.inputs[0].name!r} has {request.rows} rows, its dimension 0; at most {most} are "
                "taken at once, send them in several requests."
            )
        inputs = [_value(spec, tensor) for spec, tensor in zip(self.manifest.inputs, request.inputs, strict=True)]
        return PreparedRow(tuple(inputs), request, parameters, request.timeout_s)

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return each request's response; one whose outputs have no form that was asked for failed."""
        answers: list[bytes | GalleyError] = []
        start = 0
        for row in rows:
            answers.append(self._answer(row, [sliced(value, start, start + row.size) for value in outputs]))
            start += row.size
        return answers

    def rehearsal(self, usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return a request of one row: the first of a stored sample, else small numbers that differ."""
        samples = {sample.name: sample for sample in usual if sample.shape[:1] != [0]}
        members: list[dict[str, Any]] = []
        data: list[bytes] = []
        for spec in self.manifest.inputs:
            tensor = _first_row(spec, samples[spec.name]) if spec.name in samples else _made_up(spec)
            data.append(to_binary(spec.datatype, tensor.elements))
            members.append(
                {
                    "name": spec.name,
                    "datatype": spec.datatype,
                    "shape": tensor.shape,
                    "parameters": {"binary_data_size": len(data[-1])},
                }
            )
        json = orjson.dumps({"inputs": members, "parameters": {"binary_data_output": True}})
        return Rehearsal(b"".join([json, *data]), {"json_bytes": len(json)})

    def _answer(self, row: PreparedRow, outputs: list[Value]) -> bytes | GalleyError:
        request: TensorRequest = row.context
        wanted = {output.name for output in request.outputs}
        tensors = {
            spec.name: _data(value)
            for spec, value in zip(self.manifest.outputs, outputs, strict=True)
            if spec.name in wanted
        }
        try:
            return self._writer.write(request, tensors, variant=row.parameters.variant)
        except InvalidTensor as err:
            return err


def _value(spec: TensorSpec, tensor: TensorData) -> Value:
    """Return a request's tensor as the model takes it.

    :raises InvalidTensor: for BYTES that are no text: TorchScript has strings only.
    """
    elements = tensor.elements
    if isinstance(elements, np.ndarray):
        return torch.from_numpy(elements).to(TORCH_DTYPES[spec.datatype])

    return Strings([_text(spec.name, index, element) for index, element in enumerate(elements)], tuple(tensor.shape))


def _text(name: str, index: int, element: bytes) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as err:
        raise InvalidTensor(f"Tensor {name!r}: element {index} is no UTF-8, and the model takes text only.") from err


def _data(value: Value) -> TensorData:
    """Return an output as arrays and bytes; numpy has no bfloat16, so that comes as float32."""
    shape = list(value.shape)
    if isinstance(value, Strings):
        return TensorData(shape, [element.encode() for element in value.elements])

    return TensorData(shape, (value.float() if value.dtype == torch.bfloat16 else value).detach().numpy())


def _first_row(spec: TensorSpec, sample: SampleTensor) -> TensorData:
    array = to_array(sample)
    if spec.shape[0] == -1:
        array = array[:1]
    elements = [text.encode() for text in array.ravel().tolist()] if sample.datatype == "BYTES" else array
    return TensorData(list(array.shape), elements)


def _made_up(spec: TensorSpec) -> TensorData:
    """Return one row of a tensor: 0 and 1 in turn, which are indices of any table, or fractions between them."""
    first, *inner = spec.shape
    shape = [max(1, first), *(FREE_DIMENSION if size == -1 else size for size in inner)]
    count = math.prod(shape)
    if spec.datatype == "BYTES":
        return TensorData(shape, [b"text %d" % index for index in range(count)])

    dtype = numpy_dtype(spec.datatype)
    numbers = np.linspace(0, 1, count) if dtype.kind == "f" else np.arange(count) % 2
    return TensorData(shape, numbers.astype(dtype).reshape(shape))
