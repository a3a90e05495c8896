"""What goes into a model and comes out of it: tensors, and for BYTES the strings that TorchScript has in their place.

The first dimension of either is the batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


@dataclass(frozen=True, slots=True)
class Strings:
    """A tensor of BYTES: its elements in row-major order, which a model takes and gives as `List[str]`."""

    elements: list[str]
    shape: tuple[int, ...]


Value = Tensor | Strings


def kind(value: Value) -> str:
    """Return what the elements are, as torch names it."""
    return "strings" if isinstance(value, Strings) else str(value.dtype)


def joined(values: Sequence[Value]) -> Value:
    """Return values that differ in their first dimension only as one; a single one is not copied."""
    first = values[0]
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
