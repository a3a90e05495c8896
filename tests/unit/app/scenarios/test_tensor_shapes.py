"""Shapes: possible at all, and as the signature says."""

from typing import Any

import pytest

from app.errors import InvalidTensor
from app.scenarios.tensor_shapes import check_shape, count_elements
from model_store.manifest import Datatype
from tests.factories.tensors import spec


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [([-1, 2], [5, 2]), ([-1, -1], [0, 2**40]), ([-1, -1], [2**20, 0]), ([1, 2], [1, 2]), ([-1], [2**40])],
)
def test_shapes_that_fit_are_returned(wanted: list[int], shape: list[int]) -> None:
    assert check_shape(spec("x", "FP32", wanted), shape) == shape


def test_a_scalar_is_one_row_of_a_tensor_without_other_dimensions() -> None:
    assert check_shape(spec("x", "BYTES", [-1]), []) == [1]
    with pytest.raises(InvalidTensor, match="0 dimensions"):
        check_shape(spec("x", "BYTES", [-1, 1]), [])


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "'x': 'shape' must be a list"),
        (7, "'shape' must be a list"),
        ([1], "'x' has 1 dimensions"),
        ([1, 2, 3], "3 dimensions"),
        ([-1, 2], "dimension 0 must be a whole number"),
        ([1, -2], "dimension 1 must be a whole number"),
        ([1, 2.0], "dimension 1"),
        ([True, 2], "dimension 0"),
        ([1, "2"], "dimension 1"),
        ([2**63, 1], "dimension 0"),
        ([2**62, 1], "with dimension 0 its size passes"),
        ([2**32, 2**31], "with dimension 1 its size passes"),
        ([0, 2**62], "with dimension 1 its size passes"),
        ([2**21, 0], "'x' has no elements, for dimension 1 of .* at most"),
    ],
)
def test_impossible_shapes_name_tensor_and_dimension(shape: Any, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        check_shape(spec("x", "FP32", [-1, -1]), shape)


def test_what_costs_no_bytes_may_not_be_large_in_other_dimensions() -> None:
    with pytest.raises(InvalidTensor, match=r"dimension 2 .* may then make up 1048576 at most"):
        check_shape(spec("x", "FP32", [-1, -1, -1]), [1, 2**40, 0])


@pytest.mark.parametrize(("datatype", "most"), [("BOOL", 2**63 - 1), ("FP64", 2**60 - 1)])
def test_the_size_in_bytes_is_what_overflows(datatype: Datatype, most: int) -> None:
    assert check_shape(spec("x", datatype, [-1]), [most]) == [most]
    with pytest.raises(InvalidTensor, match="dimension 0"):
        check_shape(spec("x", datatype, [-1]), [most + 1])


def test_a_fixed_dimension_is_compared() -> None:
    with pytest.raises(InvalidTensor, match=r"'x' has shape \[1, 783\]; dimension 1 must be 784"):
        check_shape(spec("x", "FP32", [-1, 784]), [1, 783])


def test_a_shape_counts_its_elements() -> None:
    assert [count_elements(shape) for shape in ([], [3], [2, 3], [2, 0])] == [1, 3, 6, 0]
