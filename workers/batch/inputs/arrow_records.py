"""Rows of Arrow as records of plain values: what JSON has, and bytes."""

import datetime as dt
import math
import numbers
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from app.errors import GalleyError, UnreadableRow

Record = dict[str, Any]

_LONGEST_TOLD: Final = 64
# Values whose Python object is what a record holds.
_IS_PLAIN: Final[tuple[Callable[[pa.DataType], bool], ...]] = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_null,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def records_of(batch: pa.RecordBatch) -> Iterator[Record | GalleyError]:
    """Yield the rows of a batch, each as its record or as the error of its first bad cell.

    Times are RFC 3339, in UTC where they are moments, and taken for UTC where they name no zone; durations are seconds.
    Decimals are numbers where a float holds them, else texts. NaN is null, as tables made by pandas mean it.
    """
    names = batch.schema.names
    columns = [_cells(name, column) for name, column in zip(names, batch.columns, strict=True)]
    for cells in zip(*columns, strict=True):
        bad = next((cell for cell in cells if isinstance(cell, GalleyError)), None)
        yield bad if bad is not None else dict(zip(names, cells, strict=True))


def _cells(name: str, column: pa.Array) -> list[Any]:
    if _is_plain(column):
        try:
            cells: list[Any] = column.to_pylist()
            return cells
        except (ValueError, pa.ArrowException):
            # Texts, one of which is no UTF-8: found below.
            pass
    return [_cell(name, scalar) for scalar in _in_microseconds(column)]


def _is_plain(column: pa.Array) -> bool:
    if pa.types.is_float32(column.type) or pa.types.is_float64(column.type):
        return pc.all(pc.is_finite(column)).as_py() is not False
    return any(is_plain(column.type) for is_plain in _IS_PLAIN)


def _in_microseconds(column: pa.Array) -> pa.Array:
    """Return times as Python can hold them: finer ones are cut off."""
    if not pa.types.is_timestamp(column.type) or column.type.unit != "ns":
        return column

    return column.cast(pa.timestamp("us", column.type.tz and "UTC"), safe=False)


def _cell(name: str, scalar: pa.Scalar) -> Any:
    try:
        return plain(scalar.as_py())
    except (ValueError, OverflowError, KeyError, pa.ArrowException) as err:
        return UnreadableRow(f"Column '{name[:_LONGEST_TOLD]}' holds a value that JSON has no form for: {err}.")


def plain(value: Any) -> Any:  # noqa: PLR0911 - a table of types
    """Return a value of Arrow's as JSON has it; bytes stay bytes.

    :raises ValueError: when JSON has no form for it.
    """
    match value:
        case None | bool() | int() | str() | bytes():
            return value
        case Decimal():
            return _decimal(value)
        case numbers.Real():
            return _number(float(value))
        case dt.datetime():
            moment = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
            return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case uuid.UUID():
            return str(value)
        case list() | tuple():
            return [plain(member) for member in value]
        case Mapping():
            return {str(name): plain(member) for name, member in value.items()}
    raise ValueError(type(value).__name__)


def _number(value: float) -> float | None:
    if math.isinf(value):
        raise ValueError("an infinite number")
    return None if math.isnan(value) else value


def _decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        raise ValueError("a decimal that is no number")
    if value == value.to_integral_value():
        return int(value)

    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)
