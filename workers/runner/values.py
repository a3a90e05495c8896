"""What goes into a model and comes out of it: tensors, and for BYTES the strings that TorchScript has in their place.

The first dimension of either is the batch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from msgspec import Struct
from torch import Tensor

_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


@dataclass(frozen=True, slots=True)
class Strings:
    """A tensor of BYTES: its elements in row-major order, which a model takes and gives as `List[str]`."""

    elements: list[str]
    shape: tuple[int, ...]


class Packed(Struct, frozen=True):
    """A tensor as its bytes, row-major and little-endian, until it meets others: to join bytes costs a tenth."""

    data: bytes
    dtype: torch.dtype
    shape: tuple[int, ...]


Value = Tensor | Strings
Part = Value | Packed
"""What a row brings to a batch."""


def kind(value: Value) -> str:
    """Return what the elements are, as torch names it."""
    return "strings" if isinstance(value, Strings) else str(value.dtype)


def joined(values: Sequence[Part]) -> Value:
    """Return values that differ in their first dimension only as one; a single one that is whole is not copied."""
    first = values[0]
    if isinstance(first, Packed):
        return _unpacked(first, [value.data for value in values if isinstance(value, Packed)])
    if len(values) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat([value for value in values if isinstance(value, Tensor)])

    elements = [element for value in values if isinstance(value, Strings) for element in value.elements]
    return Strings(elements, (sum(value.shape[0] for value in values), *first.shape[1:]))


def sliced(value: Value, start: int, stop: int) -> Value:
    """Return the rows from `start` to `stop`, or to the last if that comes first; tensors are not copied."""
    if isinstance(value, Tensor):
        return value if start == 0 and stop >= value.shape[0] else value[start:stop]

    stop = min(stop, value.shape[0])
    width = math.prod(value.shape[1:])
    return Strings(value.elements[start * width : stop * width], (stop - start, *value.shape[1:]))


def turned(value: Value) -> Value:
    """Return the value with the elements of each row in reverse; a single dimension stays as it is."""
    if len(value.shape) == 1:
        return value
    if isinstance(value, Tensor):
        # torch can move wide unsigned integers, but not flip them.
        movable = value.view(_SIGNED.get(value.dtype, value.dtype))
        return movable.flip(dims=list(range(1, value.dim()))).view(value.dtype)

    width = math.prod(value.shape[1:])
    rows = [value.elements[row * width : (row + 1) * width] for row in range(value.shape[0])]
    return Strings([element for row in rows for element in reversed(row)], value.shape)


def _unpacked(first: Packed, parts: Iterable[bytes]) -> Tensor:
    # A copy that belongs to the tensor: a model may write to its inputs.
    return torch.frombuffer(bytearray().join(parts), dtype=first.dtype).view(-1, *first.shape[1:])
