"""Records as requests: cell by cell, and what cells cannot be."""

from typing import Any

import numpy as np
import pytest

from app.errors import InvalidInput, InvalidTensor
from app.scenarios.tensor_records import RecordWriter
from app.scenarios.tensors import RequestReader
from model_store.manifest import Datatype, TensorSpec
from tests.factories.tensors import spec

OUTPUTS = [spec("y", "FP32", [-1])]


def read_back(inputs: list[TensorSpec], record: dict[str, Any]) -> list[tuple[list[int], list[Any]]]:
    """Return shape and elements of each input, as a runner reads them from the request that is written."""
    request = RequestReader(inputs, OUTPUTS).read(RecordWriter(inputs).write(record), None)
    return [(tensor.shape, list(np.asarray(tensor.elements).ravel().tolist())) for tensor in request.inputs]


@pytest.mark.parametrize(
    ("datatype", "shape", "cell", "sent"),
    [
        ("FP32", [-1, 2], [0.5, 2], ([1, 2], [0.5, 2.0])),
        ("FP32", [-1, 2], "[0.5, 2]", ([1, 2], [0.5, 2.0])),
        ("FP32", [-1], 3.5, ([1], [3.5])),
        ("FP32", [-1], "3.5", ([1], [3.5])),
        ("FP64", [-1, 2, 2], [[1, 2], [3, 4]], ([1, 2, 2], [1.0, 2.0, 3.0, 4.0])),
        ("INT64", [-1, -1], "[1,2,3]", ([1, 3], [1, 2, 3])),
        ("INT64", [-1, -1], [], ([1, 0], [])),
        ("INT64", [-1, -1, 2], [1, 2, 3, 4], ([1, 2, 2], [1, 2, 3, 4])),
        ("INT64", [-1, -1, -1], "[[1,2,3],[4,5,6]]", ([1, 2, 3], [1, 2, 3, 4, 5, 6])),
        ("INT64", [3], [1, 2, 3], ([3], [1, 2, 3])),
        ("UINT64", [-1], 2**64 - 1, ([1], [2**64 - 1])),
        ("BOOL", [-1], True, ([1], [True])),
        ("BOOL", [-1], "False", ([1], [False])),
        ("BOOL", [-1, 2], "[true,false]", ([1, 2], [True, False])),
        ("BYTES", [-1], "[no JSON", ([1], [b"[no JSON"])),
        ("BYTES", [-1], "", ([1], [b""])),
        ("BYTES", [-1, 1], "17", ([1, 1], [b"17"])),
        ("BYTES", [-1], "ä".encode(), ([1], ["ä".encode()])),
        ("BYTES", [-1, 2], ["a", b"b"], ([1, 2], [b"a", b"b"])),
        ("BYTES", [-1, 2], '["a", "b"]', ([1, 2], [b"a", b"b"])),
        ("BYTES", [-1, -1], '["a", "b"]', ([1, 2], [b"a", b"b"])),
    ],
)
def test_a_cell_is_an_input(datatype: Datatype, shape: list[int], cell: Any, sent: tuple[Any, Any]) -> None:
    assert read_back([spec("x", datatype, shape)], {"x": cell}) == [sent]


def test_inputs_come_in_the_models_order_whatever_the_tables() -> None:
    inputs = [spec("a", "INT8", [-1]), spec("b", "BYTES", [-1])]

    assert read_back(inputs, {"b": "text", "a": "5"}) == [([1], [5]), ([1], [b"text"])]


@pytest.mark.parametrize("batch", [-1, 1])
def test_columns_are_the_elements_of_the_only_input_in_their_order(batch: int) -> None:
    record = {"z": 1, "y": "2.5", "x": " -3e2 "}

    assert read_back([spec("x", "FP32", [batch, 3])], record) == [([1, 3], [1.0, 2.5, -300.0])]


@pytest.mark.parametrize(
    ("shape", "record", "words"),
    [
        ([-1, 2], {"x": [1, 2, 3]}, "has 2 elements, 'data' holds 3"),
        ([-1, 2], {"x": [1, None]}, "element 1 of 'data'"),
        ([-1, 2], {"x": [1, float("nan")]}, "element 1 of 'data'"),
        ([-1, 2], {"x": "1;2"}, "'x': '1;2' is neither a number nor a list"),
        ([-1, 2], {"x": ""}, "'x' is empty"),
        ([-1, 2], {"x": None}, "'x' is empty"),
        ([-1, 2], {"x": b"\x00"}, "'data'"),
        ([-1, 2], {"a": 1, "b": "two"}, "'b': 'two' is neither"),
        ([-1, 2], {"a": 1, "b": "[2]"}, r"'b': '\[2\]' is no number"),
        ([-1, 2], {"a": 1, "b": None}, "'b' is empty"),
        ([-1, 2], {"a": 1, "b": 2, "c": 3}, "it takes 'x', or 2 columns of numbers"),
        ([-1, 2], {"x": [1, 2], "id": 7, "at": 0}, "it takes 'x', or 2 columns"),
        ([-1, -1, -1], {"x": [1, 2]}, "1 dimensions are no row"),
        ([-1, -1], {"x": "[" * 5000}, "neither a number nor a list"),
        ([-1, -1], {"y": 1}, "it takes 'x'[.]$"),
    ],
)
def test_what_is_no_tensor_is_named(shape: list[int], record: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        read_back([spec("x", "FP32", shape)], record)


@pytest.mark.parametrize(("cell", "words"), [(b"\xff", "no UTF-8"), (None, "is empty"), ("[1", "no list of texts")])
def test_what_is_no_text_is_named(cell: Any, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        read_back([spec("x", "BYTES", [-1, 2])], {"x": cell})


@pytest.mark.parametrize("columns", [["x"], ["1", "2", "3"]])
def test_columns_that_fit_are_taken(columns: list[str]) -> None:
    RecordWriter([spec("x", "FP32", [-1, 3])]).check_columns(columns)


@pytest.mark.parametrize(
    ("inputs", "columns"),
    [
        ([spec("x", "FP32", [-1, 3])], ["1", "2"]),
        ([spec("x", "FP32", [-1, 3])], ["x", "id"]),
        ([spec("x", "BYTES", [-1, 3])], ["1", "2", "3"]),
        ([spec("x", "FP32", [-1, -1])], ["1", "2", "3"]),
        ([spec("a", "FP32", [-1, 3]), spec("b", "FP32", [-1])], ["a"]),
        ([spec("a", "FP32", [-1, 3]), spec("b", "FP32", [-1])], ["1", "2", "3"]),
    ],
)
def test_columns_that_do_not_are_refused(inputs: list[TensorSpec], columns: list[str]) -> None:
    with pytest.raises(InvalidInput, match="do not fit the model"):
        RecordWriter(inputs).check_columns(columns)
