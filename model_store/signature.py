"""Tensors as numpy arrays: their datatypes, their signature, and the samples stored beside a model.

Datatypes and the JSON form of a tensor are those of the Open Inference Protocol, version 2, with flat data.
"""

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from app.errors import SignatureMismatch
from model_store.manifest import Datatype, TensorSpec

_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    # numpy has no bfloat16; float32 holds each of its values.
    "BF16": np.dtype(np.float32),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}
# What an element may be in JSON, by numpy's letter for the kind of number. bool is an int to Python, so types are
# compared, not tested with isinstance.
_ELEMENT_TYPES: dict[str, frozenset[type]] = {
    "b": frozenset({bool}),
    "u": frozenset({int}),
    "i": frozenset({int}),
    "f": frozenset({int, float}),
    "O": frozenset({str}),
}


class SampleTensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tensor in JSON form; `data` is flat, row-major."""

    name: str
    datatype: Datatype
    shape: list[int]
    data: list[bool | int | float | str]


class Sample(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One batch of inputs, and the outputs the model must give for it."""

    inputs: list[SampleTensor]
    outputs: list[SampleTensor]


class _SampleFile(Struct, frozen=True):
    samples: list[Sample]


_decode = msgspec.json.Decoder(_SampleFile).decode


def decode_samples(data: bytes) -> list[Sample]:
    """Read samples.json.

    :raises SignatureMismatch: when it is not of that form, or has two tensors of one name side by side.
    """
    try:
        samples = _decode(data).samples
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise SignatureMismatch(f"The samples cannot be read: {err}.") from err

    for sample in samples:
        _check_names(sample.inputs)
        _check_names(sample.outputs)
    return samples


def encode_samples(samples: list[Sample]) -> bytes:
    """Write samples.json."""
    return msgspec.json.encode(_SampleFile(samples))


def numpy_dtype(datatype: str) -> np.dtype[Any]:
    """Return the array type of an OIP datatype; BYTES are objects (strings), BF16 is held as float32.

    :raises SignatureMismatch: for a datatype there is not.
    """
    try:
        return _DTYPES[datatype]
    except KeyError as err:
        raise SignatureMismatch(f"There is no datatype {datatype!r}; there are {', '.join(_DTYPES)}.") from err


def to_array(tensor: SampleTensor) -> NDArray[Any]:
    """Return the tensor's elements as an array of its shape.

    :raises SignatureMismatch: when elements are too many, too few, or not of the datatype.
    """
    wanted = math.prod(tensor.shape)
    if min(tensor.shape, default=0) < 0 or wanted != len(tensor.data):
        raise SignatureMismatch(
            f"Tensor {tensor.name!r} has {len(tensor.data)} elements, which do not fill its shape {tensor.shape}."
        )
    dtype = numpy_dtype(tensor.datatype)
    if not {type(element) for element in tensor.data} <= _ELEMENT_TYPES[dtype.kind]:
        raise SignatureMismatch(f"Tensor {tensor.name!r} has elements that are not {tensor.datatype}.")

    try:
        with np.errstate(over="raise"):
            return np.array(tensor.data, dtype=dtype).reshape(tensor.shape)
    except (OverflowError, FloatingPointError) as err:
        raise SignatureMismatch(f"Tensor {tensor.name!r} has elements out of {tensor.datatype}'s range.") from err
    except ValueError as err:
        # More dimensions than numpy has, or too long ones beside one of length 0.
        raise SignatureMismatch(f"Tensor {tensor.name!r} cannot have the shape {tensor.shape}.") from err


def from_array(name: str, datatype: Datatype, array: NDArray[Any]) -> SampleTensor:
    """Return an array in JSON form.

    :raises SignatureMismatch: when it is of another datatype, or holds values that JSON has no form for.
    """
    if array.dtype != numpy_dtype(datatype):
        raise SignatureMismatch(f"Tensor {name!r} is {array.dtype}, not {datatype}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise SignatureMismatch(f"Tensor {name!r} holds values that are not finite; samples cannot store them.")

    return SampleTensor(name=name, datatype=datatype, shape=list(array.shape), data=array.ravel().tolist())


def check_array(spec: TensorSpec, array: NDArray[Any]) -> None:
    """Check that an array is of the datatype and shape that the signature says.

    :raises SignatureMismatch: saying what it is and what it should be.
    """
    fits = array.ndim == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise SignatureMismatch(f"Tensor {spec.name!r} has shape {list(array.shape)}; its signature says {spec.shape}.")
    if array.dtype != numpy_dtype(spec.datatype):
        raise SignatureMismatch(f"Tensor {spec.name!r} is {array.dtype}; its signature says {spec.datatype}.")


def _check_names(tensors: list[SampleTensor]) -> None:
    for name, count in Counter(tensor.name for tensor in tensors).most_common(1):
        if count > 1:
            raise SignatureMismatch(f"A sample has two tensors named {name!r} side by side.")
