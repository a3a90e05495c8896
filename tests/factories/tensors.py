"""v2 inference requests as clients write them, and their answers as they read them; written apart from the product."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from app.scenarios.tensor_frames import read_answer
from model_store.manifest import Datatype, TensorSpec

WIRE: dict[str, str] = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES: tuple[Datatype, ...] = (
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "BF16", "FP32", "FP64", "BYTES",
)  # fmt: skip
Values = NDArray[Any] | list[bytes]


class Sent(Struct, frozen=True):
    """One tensor of a request: an array, or a flat list of bytes; BF16 as float32."""

    name: str
    datatype: Datatype
    shape: list[int]
    values: Values
    is_binary: bool = False


class Body(Struct, frozen=True):
    """A request's bytes, and how many are JSON: None where the header would be left out."""

    data: bytes
    json_bytes: int | None = None


def spec(name: str, datatype: Datatype, shape: Sequence[int]) -> TensorSpec:
    """Return one tensor of a signature."""
    return TensorSpec(name=name, datatype=datatype, shape=list(shape))


def json_body(**members: Any) -> Body:
    """Return a request of JSON alone, whatever it says."""
    return Body(json.dumps(members).encode())


def json_input(name: str = "x", datatype: Any = "FP32", shape: Any = (1, 2), **members: Any) -> dict[str, Any]:
    """Return one input in JSON, whatever it says."""
    return {"name": name, "datatype": datatype, "shape": shape, **members}


def make_body(tensors: Sequence[Sent], **members: Any) -> Body:
    """Return a request of these tensors, in their order."""
    binary = [wire_bytes(tensor.datatype, tensor.values) for tensor in tensors if tensor.is_binary]
    header = json.dumps({"inputs": [_member(tensor) for tensor in tensors], **members}).encode()
    has_header = any(tensor.is_binary for tensor in tensors)
    return Body(b"".join([header, *binary]), len(header) if has_header else None)


def wire_bytes(datatype: str, values: Values) -> bytes:
    """Return a tensor as binary data."""
    if isinstance(values, list):
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    if datatype == "BF16":
        pairs = values.astype("<f4").tobytes()
        return b"".join(pairs[start + 2 : start + 4] for start in range(0, len(pairs), 4))
    return values.astype(WIRE[datatype]).tobytes()


def read_outputs(frame: bytes) -> dict[str, Values]:
    """Return the outputs of an answer by name, those of BYTES as flat lists."""
    answer = read_answer(frame)
    length = len(answer.body) if answer.json_bytes is None else answer.json_bytes
    data = bytes(answer.body[length:])
    outputs: dict[str, Values] = {}
    for member in json.loads(bytes(answer.body[:length]))["outputs"]:
        size = member.get("parameters", {}).get("binary_data_size", 0)
        outputs[member["name"]] = _values(member, data[:size])
        data = data[size:]
    assert data == b""
    return outputs


def _member(tensor: Sent) -> dict[str, Any]:
    member: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if tensor.is_binary:
        return {**member, "parameters": {"binary_data_size": len(wire_bytes(tensor.datatype, tensor.values))}}
    if isinstance(tensor.values, list):
        return {**member, "data": [value.decode() for value in tensor.values]}
    return {**member, "data": tensor.values.ravel().tolist()}


def _values(member: dict[str, Any], data: bytes) -> Values:
    datatype, shape = member["datatype"], member["shape"]
    if datatype == "BYTES":
        return [text.encode() for text in member["data"]] if "data" in member else _split(data)
    if "data" in member:
        return np.array(member["data"], WIRE[datatype]).reshape(shape)
    if datatype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(data, WIRE[datatype]).reshape(shape)


def _split(data: bytes) -> list[bytes]:
    found = []
    while data:
        (size,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def answer_json(frame: bytes) -> dict[str, Any]:
    """Return the JSON part of an answer."""
    answer = read_answer(frame)
    decoded: dict[str, Any] = msgspec.json.decode(answer.body[: answer.json_bytes])
    return decoded


def image_body(images: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Body:
    """Return a v2 request to an image classifier."""
    return make_body([Sent("image", "FP32", list(images.shape), images, is_binary=True)])
