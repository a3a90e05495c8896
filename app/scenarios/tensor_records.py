"""Records of a table as v2 inference requests: a column for each input, or one for each element of the only input."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.errors import InvalidInput, InvalidTensor
from app.scenarios.tensor_envelope import shown
from model_store.manifest import TensorSpec

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_NO_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
# As Python's tools write them, besides JSON's own.
_TRUTHS: Final = {"True": True, "False": False, "TRUE": True, "FALSE": False}
_NUMBERS: Final = (int, float)


class RecordWriter:
    """Writes records as requests of one row to one model. Keeps no state besides the model's inputs.

    A record has a cell for each input, by its name: a number or a text, or a list, which may be JSON in a text. Where
    a model has one input of numbers and a fixed width, it may have a cell for each of them instead, in their order
    and whatever they are called. What does not fit the signature is found out where requests are read.
    """

    def __init__(self, inputs: Sequence[TensorSpec]) -> None:
        self._inputs = {spec.name: spec for spec in inputs}
        self._wide = _wide_input(inputs)

    def check_columns(self, columns: Collection[str]) -> None:
        """Check the columns of a table.

        :raises InvalidInput: when they are neither the inputs nor the elements of the only one.
        """
        if not self._has_inputs(columns) and not self._has_elements(columns):
            raise InvalidInput(f"The columns of the table do not fit the model: {self._wanted()}.")

    def write(self, record: Mapping[str, Any]) -> bytes:
        """Return a record as the body of a request.

        :raises InvalidTensor: when it has other columns, or naming the one whose cell is no tensor.
        """
        if self._has_inputs(record):
            inputs = [_tensor(spec, record[name]) for name, spec in self._inputs.items()]
        elif self._wide is not None and self._has_elements(record):
            elements = [_element(column, cell) for column, cell in record.items()]
            inputs = [_sent(self._wide, [1, len(elements)], elements)]
        else:
            raise InvalidTensor(f"The columns of the record do not fit the model: {self._wanted()}.")
        return _encode({"inputs": inputs})

    def _has_inputs(self, columns: Collection[str]) -> bool:
        return len(columns) == len(self._inputs) and all(name in columns for name in self._inputs)

    def _has_elements(self, columns: Collection[str]) -> bool:
        return self._wide is not None and len(columns) == self._wide.shape[1]

    def _wanted(self) -> str:
        inputs = f"it takes {', '.join(map(repr, self._inputs))}"
        return inputs if self._wide is None else f"{inputs}, or {self._wide.shape[1]} columns of numbers"


def _wide_input(inputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return a model's only input where it is rows of numbers, all of one length."""
    spec = inputs[0]
    is_wide = len(spec.shape) == 2 and spec.shape[0] in (-1, 1) and spec.shape[1] > 0
    return spec if len(inputs) == 1 and is_wide and spec.datatype != "BYTES" else None


def _sent(spec: TensorSpec, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape, "data": data}


def _tensor(spec: TensorSpec, cell: Any) -> dict[str, Any]:
    """Return a cell as an input of one row, or as the whole input where a model takes no batch."""
    lead, inner = ([1], spec.shape[1:]) if spec.shape[0] == -1 else ([], spec.shape)
    value = _texts(spec, cell, inner) if spec.datatype == "BYTES" else _numbers(spec.name, cell)
    shape = _fitted(spec.name, value, inner) if -1 in inner else inner
    return _sent(spec, [*lead, *shape], value if isinstance(value, list) else [value])


def _element(column: str, cell: Any) -> int | float:
    value = _numbers(column, cell)
    if not isinstance(value, _NUMBERS):
        raise InvalidTensor(f"Column {shown(column)}: {shown(cell)} is no number.")

    return value


def _numbers(column: str, cell: Any) -> Any:
    """Return the number or the list that a cell is, as itself or as text."""
    if cell is None or cell == "":
        raise InvalidTensor(f"Column {shown(column)} is empty.")
    if not isinstance(cell, str):
        return cell

    return _TRUTHS[cell] if cell in _TRUTHS else _read(column, cell, "neither a number nor a list of them in JSON")


def _texts(spec: TensorSpec, cell: Any, inner: list[int]) -> Any:
    """Return the text or the list that a cell is; where a row has several texts, one in a table of text is JSON."""
    if cell is None:
        raise InvalidTensor(f"Column {shown(spec.name)} is empty.")
    if isinstance(cell, str) and inner and math.prod(inner) != 1:
        return _read(spec.name, cell, "no list of texts in JSON")

    return _decoded(spec.name, cell)


def _read(column: str, text: str, what: str) -> Any:
    try:
        return _decode(text)
    except _NO_JSON as err:
        raise InvalidTensor(f"Column {shown(column)}: {shown(text)} is {what}.") from err


def _decoded(column: str, value: Any) -> Any:
    """Return texts that may be bytes, as text."""
    if isinstance(value, list):
        return [_decoded(column, each) for each in value]
    if not isinstance(value, bytes):
        return value

    try:
        return value.decode()
    except UnicodeDecodeError as err:
        raise InvalidTensor(f"Column {shown(column)} holds bytes that are no UTF-8.") from err


def _fitted(column: str, value: Any, inner: list[int]) -> list[int]:
    """Return the shape of a row with its free dimensions as long as the lists are."""
    sizes = _sizes(value)
    if len(sizes) == len(inner):
        return sizes
    if len(sizes) == 1 and inner.count(-1) == 1:
        fixed = math.prod(size for size in inner if size != -1)
        return [size if size != -1 else sizes[0] // max(1, fixed) for size in inner]

    raise InvalidTensor(
        f"Column {shown(column)}: {len(sizes)} dimensions are no row of the input, which has the shape {inner}."
    )


def _sizes(value: Any) -> list[int]:
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        value = value[0] if value else None
    return sizes
