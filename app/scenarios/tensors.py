"""A v2 inference request, read and checked against a model's signature (Open Inference Protocol, version 2).

Everything a caller can do wrong is an InvalidTensor whose sentence names the tensor, and the dimension or element.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidTensor
from app.scenarios.tensor_elements import Elements, TensorData, element_bytes, from_binary, from_json
from app.scenarios.tensor_envelope import (
    AskedOutput,
    Envelope,
    SentTensor,
    check_reserved,
    flag,
    natural,
    read_envelope,
    shown,
)
from app.scenarios.tensor_shapes import check_shape, count_elements
from model_store.manifest import TensorSpec


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """One output that is asked for, and how. `classes` is 0, or how many best classes are wanted in its place."""

    name: str
    is_binary: bool = False
    classes: int = 0


@dataclass(frozen=True, slots=True)
class TensorRequest:
    """A request that fits the signature: inputs in the signature's order, outputs in the order asked."""

    inputs: list[TensorData]
    outputs: list[WantedOutput]
    id: str | None = None
    timeout_s: float = 0.0

    @property
    def rows(self) -> int:
        """How many rows it asks for: the first dimension of its inputs."""
        return self.inputs[0].shape[0]


class RequestReader:
    """Reads requests to one model. Keeps no state besides its signature; safe to share between threads."""

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._inputs = {spec.name: spec for spec in inputs}
        self._outputs = {spec.name: spec for spec in outputs}

    def read(self, body: bytes, json_bytes: int | None) -> TensorRequest:
        """Read a body whose first `json_bytes` are JSON: None stands for all of them, 0 for the raw form.

        :raises InvalidTensor: for anything that breaks the protocol or the signature.
        """
        if json_bytes == 0:
            return self._read_raw(memoryview(body))

        length = len(body) if json_bytes is None else json_bytes
        if length > len(body):
            raise InvalidTensor(
                f"Inference-Header-Content-Length is {length}, but the body has only {len(body)} bytes."
            )
        envelope = read_envelope(memoryview(body)[:length], len(self._inputs))
        parameters = envelope.parameters or {}
        check_reserved(parameters)
        natural(parameters, "priority")
        inputs = self._read_inputs(envelope.inputs, BinaryData(memoryview(body)[length:]))
        timeout_s = natural(parameters, "timeout") / 1e6
        return TensorRequest(inputs, self._wanted(envelope), envelope.id or None, timeout_s)

    def _read_inputs(self, sent: list[SentTensor], binary: "BinaryData") -> list[TensorData]:
        found: dict[str, TensorData] = {}
        for tensor in sent:
            if tensor.name in found:
                raise InvalidTensor(f"Tensor {shown(tensor.name)} is given twice.")
            if tensor.name not in self._inputs:
                raise InvalidTensor(
                    f"The model has no input {shown(tensor.name)}; it has {', '.join(map(repr, self._inputs))}."
                )
            found[tensor.name] = _read_tensor(self._inputs[tensor.name], tensor, binary)
        binary.check_used_up()

        missing = [name for name in self._inputs if name not in found]
        if missing:
            raise InvalidTensor(f"Tensor {missing[0]!r} is missing.")
        self._check_rows(found)
        return [found[name] for name in self._inputs]

    def _check_rows(self, found: dict[str, TensorData]) -> None:
        """Check that all inputs with a free first dimension have the same number of rows."""
        rows = {name: found[name].shape[0] for name, spec in self._inputs.items() if spec.shape[0] == -1}
        if len(set(rows.values())) > 1:
            sizes = ", ".join(f"{name!r} has {size}" for name, size in rows.items())
            raise InvalidTensor(f"The inputs differ in dimension 0, the batch: {sizes}.")

    def _wanted(self, envelope: Envelope) -> list[WantedOutput]:
        default = flag(envelope.parameters or {}, "binary_data_output", default=False)
        if not envelope.outputs:
            return [WantedOutput(name, default) for name in self._outputs]

        wanted = [self._wanted_one(output, default) for output in envelope.outputs]
        names = [output.name for output in wanted]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidTensor(f"Output {twice!r} is asked for twice.")
        return wanted

    def _wanted_one(self, output: AskedOutput, default: bool) -> WantedOutput:
        if output.name not in self._outputs:
            raise InvalidTensor(
                f"The model has no output {shown(output.name)}; it has {', '.join(map(repr, self._outputs))}."
            )

        parameters = output.parameters or {}
        _check_tensor_parameters(output.name, parameters)
        is_binary = flag(parameters, "binary_data", default=default)
        classes = natural(parameters, "classification", least=1, of=f"Output {output.name!r}")
        if classes and self._outputs[output.name].datatype == "BYTES":
            raise InvalidTensor(f"Output {output.name!r} is of BYTES; only numbers can be classified.")
        return WantedOutput(output.name, is_binary, classes)

    def _read_raw(self, data: memoryview) -> TensorRequest:
        """Read a body that is nothing but the one input's elements: a batch of one, answered in binary."""
        if len(self._inputs) != 1:
            raise InvalidTensor(f"The raw form is for models with one input; this one has {len(self._inputs)}.")

        (spec,) = self._inputs.values()
        shape = _raw_shape(spec, len(data))
        elements: Elements
        if spec.datatype == "BYTES":
            elements = [bytes(data)]
        else:
            _check_size(spec, shape, len(data))
            elements = _shaped(from_binary(spec.name, spec.datatype, data), shape)
        return TensorRequest([TensorData(shape, elements)], [WantedOutput(name, True) for name in self._outputs])


class BinaryData:
    """The bytes behind a request's JSON, taken tensor by tensor."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._used = 0

    def take(self, name: str, size: int) -> memoryview:
        """Return the next `size` bytes.

        :raises InvalidTensor: when there are fewer.
        """
        left = len(self._data) - self._used
        if size > left:
            raise InvalidTensor(
                f"Tensor {shown(name)}: 'binary_data_size' is {size}, but only {left} bytes of binary data are left "
                "behind the JSON that Inference-Header-Content-Length delimits."
            )
        self._used += size
        return self._data[self._used - size : self._used]

    def check_used_up(self) -> None:
        """Check that no bytes are left over.

        :raises InvalidTensor: when some are.
        """
        left = len(self._data) - self._used
        if left:
            raise InvalidTensor(f"The body has {left} more bytes of binary data than its tensors take.")


def _read_tensor(spec: TensorSpec, sent: SentTensor, binary: BinaryData) -> TensorData:
    parameters = sent.parameters or {}
    _check_tensor_parameters(spec.name, parameters)
    if sent.datatype != spec.datatype:
        raise InvalidTensor(
            f"Tensor {spec.name!r} is of datatype {shown(sent.datatype)}; the model's signature says {spec.datatype}."
        )

    shape = check_shape(spec, sent.shape)
    data = bytes(sent.data)
    has_data = bool(data) and data != b"null"
    has_binary = "binary_data_size" in parameters
    if has_data and has_binary:
        raise InvalidTensor(f"Tensor {spec.name!r} has both 'data' and 'binary_data_size'; send one of them.")
    if not has_data and not has_binary and count_elements(shape):
        raise InvalidTensor(f"Tensor {spec.name!r} has neither 'data' nor 'binary_data_size'.")

    if has_binary:
        size = natural(parameters, "binary_data_size", of=f"Tensor {spec.name!r}")
        return TensorData(shape, _from_binary(spec, shape, binary.take(spec.name, size)))
    return TensorData(shape, _from_json(spec, shape, data if has_data else b"[]"))


def _check_tensor_parameters(name: str, parameters: dict[str, Any]) -> None:
    if not parameters:
        return

    check_reserved(parameters)
    if any(key.startswith("shared_memory_") for key in parameters):
        raise InvalidTensor(f"Tensor {shown(name)}: shared memory is not supported; send the data with the request.")


def _from_binary(spec: TensorSpec, shape: list[int], data: memoryview) -> Elements:
    if spec.datatype != "BYTES":
        _check_size(spec, shape, len(data))
    return _shaped_as(spec, shape, from_binary(spec.name, spec.datatype, data), "the binary data hold")


def _from_json(spec: TensorSpec, shape: list[int], data: bytes) -> Elements:
    # An empty list is one in every datatype, also in those that JSON has no form for.
    if not count_elements(shape) and data == b"[]":
        return _shaped(from_binary(spec.name, spec.datatype, memoryview(b"")), shape)
    return _shaped_as(spec, shape, from_json(spec.name, spec.datatype, data), "'data' holds")


def _shaped_as(spec: TensorSpec, shape: list[int], elements: Elements, who_holds: str) -> Elements:
    count = count_elements(shape)
    if len(elements) != count:
        raise InvalidTensor(
            f"Tensor {spec.name!r}: shape {shown(shape)} has {count} elements, {who_holds} {len(elements)}."
        )
    return _shaped(elements, shape)


def _shaped(elements: Elements, shape: list[int]) -> Elements:
    return elements if isinstance(elements, list) else elements.reshape(shape)


def _check_size(spec: TensorSpec, shape: list[int], size: int) -> None:
    wanted = count_elements(shape) * element_bytes(spec.datatype)
    if size != wanted:
        raise InvalidTensor(
            f"Tensor {spec.name!r} of {spec.datatype} and shape {shown(shape)} takes {wanted} bytes of binary data, "
            f"not {size}."
        )


def _raw_shape(spec: TensorSpec, size: int) -> list[int]:
    """Return the shape of a raw tensor: the batch is 1, and one dimension may be as long as the bytes make it."""
    inner = spec.shape[1:]
    if spec.shape[0] not in (-1, 1):
        raise InvalidTensor(f"The raw form is a batch of 1; tensor {spec.name!r} has {spec.shape[0]} in dimension 0.")
    if spec.datatype == "BYTES" and any(wanted != 1 for wanted in inner):
        raise InvalidTensor(f"The raw form of BYTES is one element; tensor {spec.name!r} has shape {spec.shape}.")
    if inner.count(-1) > 1:
        raise InvalidTensor(f"The raw form needs all but one dimension; tensor {spec.name!r} has shape {spec.shape}.")
    if -1 not in inner:
        return [1, *inner]

    fixed = element_bytes(spec.datatype) * count_elements([wanted for wanted in inner if wanted != -1])
    return [1, *(wanted if wanted != -1 else size // max(1, fixed) for wanted in inner)]
