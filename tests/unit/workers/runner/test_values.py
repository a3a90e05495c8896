"""Tensors and strings are joined, sliced and turned alike."""

import pytest
import torch

from workers.runner.values import Packed, Strings, Value, joined, kind, sliced, turned


def rows(value: Value) -> list[list[object]]:
    """Return the elements of each row."""
    if isinstance(value, torch.Tensor):
        return [row.ravel().tolist() for row in value]
    width = len(value.elements) // max(1, value.shape[0])
    return [list(value.elements[start : start + width]) for start in range(0, len(value.elements), width)]


TABLES: list[Value] = [torch.arange(6).reshape(3, 2), Strings(["a", "b", "c", "d", "e", "f"], (3, 2))]


@pytest.mark.parametrize("table", TABLES, ids=kind)
def test_slices_are_rows(table: Value) -> None:
    assert rows(sliced(table, 1, 3)) == rows(table)[1:]
    assert rows(sliced(table, 2, 99)) == rows(table)[2:]
    assert tuple(sliced(table, 1, 99).shape) == (2, 2)
    assert tuple(sliced(table, 3, 9).shape) == (0, 2)


@pytest.mark.parametrize("table", TABLES, ids=kind)
def test_what_was_sliced_can_be_joined(table: Value) -> None:
    parts = [sliced(table, 0, 1), sliced(table, 1, 1), sliced(table, 1, 3)]

    assert rows(joined(parts)) == rows(table)
    assert tuple(joined(parts).shape) == (3, 2)
    assert joined([table]) is table


def test_packed_rows_are_joined_to_a_tensor_of_their_own() -> None:
    parts = [Packed(bytes([row, 0, 9, 1]), torch.int16, (1, 2)) for row in range(3)]
    table = joined(parts)
    assert isinstance(table, torch.Tensor)
    table.add_(1)

    assert table.tolist() == [[1, 266], [2, 266], [3, 266]]
    assert rows(joined(parts[:1])) == [[0, 265]]


@pytest.mark.parametrize("table", TABLES, ids=kind)
def test_turning_reverses_each_row(table: Value) -> None:
    assert rows(turned(table)) == [row[::-1] for row in rows(table)]


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_wide_unsigned_rows_are_turned_too(dtype: torch.dtype) -> None:
    largest = torch.iinfo(dtype).max

    assert turned(torch.tensor([[0, largest]], dtype=dtype)).tolist() == [[largest, 0]]


def test_a_single_dimension_is_not_turned() -> None:
    strings = Strings(["a", "b"], (2,))

    assert turned(strings) is strings


def test_values_say_what_they_hold() -> None:
    assert [kind(table) for table in TABLES] == ["torch.int64", "strings"]
