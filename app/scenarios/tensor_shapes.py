"""The shape that a caller gives a tensor, against the one the model's signature asks for."""

from typing import Any

from app.errors import InvalidTensor
from app.scenarios.tensor_envelope import shown
from model_store.manifest import TensorSpec
from model_store.signature import numpy_dtype

_MOST = 2**63 - 1
# A row without elements costs its sender nothing. A model may still make an element of each of its other dimensions.
MAX_EMPTY = 2**20


def check_shape(spec: TensorSpec, sent: Any) -> list[int]:
    """Return a shape that is possible and fits the signature.

    A shape without dimensions is one element; an input that has no dimension but the batch takes it as one row.

    :raises InvalidTensor: naming the tensor and the dimension.
    """
    if type(sent) is not list:
        raise InvalidTensor(f"Tensor {shown(spec.name)}: 'shape' must be a list of whole numbers.")

    shape: list[int] = [1] if not sent and len(spec.shape) == 1 else sent
    if len(shape) != len(spec.shape):
        raise InvalidTensor(
            f"Tensor {shown(spec.name)} has {len(shape)} dimensions, shape {shown(shape)}; "
            f"the model's signature says {spec.shape}."
        )
    _check_dimensions(spec, shape)
    for number, (wanted, size) in enumerate(zip(spec.shape, shape, strict=True)):
        if wanted not in (-1, size):
            raise InvalidTensor(
                f"Tensor {shown(spec.name)} has shape {shown(shape)}; dimension {number} must be {wanted}."
            )
    _check_empty(spec, shape)
    return shape


def count_elements(shape: list[int]) -> int:
    """Return how many elements a shape has."""
    count = 1
    for size in shape:
        count *= size
    return count


def _check_dimensions(spec: TensorSpec, shape: list[Any]) -> None:
    size_bytes = numpy_dtype(spec.datatype).itemsize
    for number, size in enumerate(shape):
        if type(size) is not int or not 0 <= size <= _MOST:
            raise InvalidTensor(
                f"Tensor {shown(spec.name)} has an invalid shape {shown(shape)}: "
                f"dimension {number} must be a whole number of at least 0."
            )
        # A zero further on would make the product small again, but not the shape sound.
        size_bytes *= max(1, size)
        if size_bytes > _MOST:
            raise InvalidTensor(
                f"Tensor {shown(spec.name)} has an invalid shape {shown(shape)}: "
                f"with dimension {number} its size passes 2^63 - 1 bytes."
            )


def _check_empty(spec: TensorSpec, shape: list[int]) -> None:
    if 0 not in shape[1:] or count_elements([size for size in shape[1:] if size]) * shape[0] <= MAX_EMPTY:
        return

    raise InvalidTensor(
        f"Tensor {shown(spec.name)} has no elements, for dimension {shape.index(0, 1)} of {shown(shape)} is 0; "
        f"its other dimensions may then make up {MAX_EMPTY} at most."
    )
