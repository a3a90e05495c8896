"""Elements out of JSON and binary data: types, ranges, nesting, framing."""

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidTensor
from app.scenarios import tensor_elements
from app.scenarios.tensor_elements import MAX_DEPTH, from_binary, from_json, to_binary
from model_store.signature import numpy_dtype
from tests.factories.tensors import WIRE

INTEGERS = [name for name in WIRE if "INT" in name]


def read(datatype: str, data: str) -> Any:
    """Return the elements of JSON data as a list."""
    return list(from_json("x", datatype, data.encode()))


@pytest.mark.parametrize("datatype", INTEGERS)
def test_the_whole_range_of_an_integer_is_taken_and_no_more(datatype: str) -> None:
    limits = np.iinfo(numpy_dtype(datatype))

    assert read(datatype, f"[{limits.min}, {limits.max}]") == [limits.min, limits.max]
    for beyond in (int(limits.min) - 1, int(limits.max) + 1, 10**30):
        with pytest.raises(InvalidTensor, match=f"'x': element 1 of 'data' is out of {datatype}'s range"):
            read(datatype, f"[1, {beyond}]")


@pytest.mark.parametrize(
    ("datatype", "wrong"),
    [
        ("INT32", ["1.0", "1e2", "true", '"1"', "null", "{}"]),
        ("FP32", ["true", '"1"', "null", "1e999", '{"a": 1}']),
        ("BOOL", ["0", "1", '"true"', "null"]),
        ("BYTES", ["1", "null", "true", "{}"]),
    ],
)
def test_elements_of_another_type_are_named_by_their_place(datatype: str, wrong: list[str]) -> None:
    good = {"INT32": "7", "FP32": "0.5", "BOOL": "true", "BYTES": '"t"'}[datatype]

    for element in wrong:
        with pytest.raises(InvalidTensor, match="'x': element 1 of 'data'"):
            read(datatype, f"[{good}, {element}]")


@pytest.mark.parametrize(("datatype", "beyond"), [("FP32", "1e39"), ("FP32", "-3.5e38")])
def test_a_float_beyond_its_type_is_no_infinity(datatype: str, beyond: str) -> None:
    with pytest.raises(InvalidTensor, match="element 2 of 'data' is out of FP32's range"):
        read(datatype, f"[0, 1, {beyond}]")


@pytest.mark.parametrize(
    "data",
    [
        "[1, 2, 3, 4]", "[[1, 2], [3, 4]]", "[[1], [2, 3, 4]]", "[1, [2, [3, 4]]]", "[[], [1, 2], [ ], [3], 4, [[]]]",
        "[ [1,2,3] , [\n4 ] ]", "[[[[1, 2, 3, 4]]]]",
    ],
)  # fmt: skip
def test_data_may_be_flat_nested_and_ragged(data: str) -> None:
    assert read("INT64", data) == [1, 2, 3, 4]
    assert read("FP32", data) == [1.0, 2.0, 3.0, 4.0]
    assert read("BYTES", json.dumps(_as_text(json.loads(data)))) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("data", ["[]", "[[]]", "[[], [ ]]"])
def test_lists_of_nothing_have_no_elements(data: str) -> None:
    assert read("FP32", data) == read("BYTES", data) == []


@pytest.mark.parametrize("datatype", ["INT64", "FP32", "BYTES", "BOOL"])
def test_nesting_ends_at_a_hundred(datatype: str) -> None:
    element = {"INT64": "1", "FP32": "1", "BYTES": '"t"', "BOOL": "true"}[datatype]

    assert len(read(datatype, "[" * MAX_DEPTH + element + "]" * MAX_DEPTH)) == 1
    assert len(read(datatype, "[" + ",".join([f"[{element}]"] * 300) + "]")) == 300
    with pytest.raises(InvalidTensor, match="'x': 'data' is nested deeper than 100"):
        read(datatype, "[" * (MAX_DEPTH + 1) + element + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("data", ["5", '"text"', "{}", "true"])
def test_data_are_a_list(data: str) -> None:
    with pytest.raises(InvalidTensor, match="'x': 'data' must be a list"):
        read("FP32", data)


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_floats_are_binary_only(datatype: str) -> None:
    with pytest.raises(InvalidTensor, match="use the binary data format"):
        read(datatype, "[1]")


@pytest.mark.parametrize("nested", [False, True])
def test_long_lists_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch, nested: bool) -> None:
    monkeypatch.setattr(tensor_elements, "PIECE_BYTES", 50)
    numbers = np.random.default_rng(3).integers(-999, 999, 400)
    data = json.dumps(numbers.reshape(-1, 4).tolist() if nested else numbers.tolist())

    assert read("INT16", data) == numbers.tolist()
    with pytest.raises(InvalidTensor, match="element 400 of 'data'"):
        read("INT16", f"[{data}, true]")
    with pytest.raises(InvalidTensor, match="element 400 of 'data' is out of"):
        read("INT16", f"[{data}, 99999]")


def test_texts_may_hold_anything_that_json_can_say() -> None:
    texts = ["", "\0", "[]", "a,b", "ü", "😀", "x" * 2**20]

    assert read("BYTES", json.dumps(texts)) == [text.encode() for text in texts]


@pytest.mark.parametrize("data", [b'["\xff"]', b'["\\ud800"]', b'[["\\ud800"]]'])
def test_texts_that_are_no_utf_8_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidTensor, match="'x': 'data' cannot be read"):
        from_json("x", "BYTES", data)


def test_binary_bools_are_0_or_1() -> None:
    assert list(from_binary("x", "BOOL", memoryview(b"\0\1"))) == [False, True]
    with pytest.raises(InvalidTensor, match="'x': element 1 is no BOOL"):
        from_binary("x", "BOOL", memoryview(b"\0\2"))


@pytest.mark.parametrize("cut", [1, 3, 4, 6])
def test_binary_bytes_that_end_early_are_refused(cut: int) -> None:
    data = to_binary("BYTES", [b"one", b"two"])

    assert from_binary("x", "BYTES", memoryview(data)) == [b"one", b"two"]
    with pytest.raises(InvalidTensor, match="'x': the binary data end within element 1"):
        from_binary("x", "BYTES", memoryview(data[:-cut]))


def test_texts_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_elements, "MAX_TEXTS", 3)
    texts = [b'"', b"\\", b""]

    assert from_json("x", "BYTES", json.dumps([text.decode() for text in texts]).encode()) == texts
    assert from_binary("x", "BYTES", memoryview(to_binary("BYTES", texts))) == texts
    with pytest.raises(InvalidTensor, match="'x' holds more than 3 texts"):
        read("BYTES", '["a", "b", "c", "d"]')
    with pytest.raises(InvalidTensor, match="'x' holds more than 3 texts"):
        read("BYTES", '[[], [], [], ["a"]]')
    with pytest.raises(InvalidTensor, match="'x' holds more than 3 texts"):
        from_binary("x", "BYTES", memoryview(to_binary("BYTES", [*texts, b""])))


@pytest.mark.parametrize("text", ["\\", '"', '\\"', '\\\\"\\', "[", "{}"])
def test_escaped_texts_are_counted_as_one(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(tensor_elements, "MAX_TEXTS", 3)

    assert read("BYTES", json.dumps([text] * 3)) == [text.encode()] * 3
    with pytest.raises(InvalidTensor, match="'x' holds more than 3 texts"):
        read("BYTES", json.dumps([text] * 4))


@pytest.mark.parametrize("element", ["{}", "5", "true", "null", "-1e5"])
def test_what_is_no_text_is_found_without_making_objects(element: str) -> None:
    data = b'[["a", "b\\"]"], [], [%b"c"]]' % (b"%b," % element.encode() * 100_000)

    tracemalloc.start()
    try:
        with pytest.raises(InvalidTensor, match="'x': element 2 of 'data' must be a string"):
            from_json("x", "BYTES", data)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
    finally:
        tracemalloc.stop()


def test_bf16_is_the_upper_half_of_a_float_cut_off() -> None:
    values = np.array([1.0, -2.5, np.pi, 1.999, np.inf, np.nan], np.float32)

    data = to_binary("BF16", values)
    back = from_binary("x", "BF16", memoryview(data))

    assert data[:2] == b"\x80\x3f"
    np.testing.assert_array_equal(back, [1.0, -2.5, 3.140625, 1.9921875, np.inf, np.nan])


def test_arrays_from_binary_data_can_be_written() -> None:
    for datatype in WIRE:
        assert from_binary("x", datatype, memoryview(bytes(8))).flags.writeable  # type: ignore[union-attr]


def _as_text(value: Any) -> Any:
    return [_as_text(each) for each in value] if isinstance(value, list) else str(value)
