"""The JSON of a request before its elements: its form, its reserved parameters, and JSON that is none."""

import tracemalloc
from typing import Any

import pytest

from app.errors import InvalidTensor
from app.scenarios.tensor_envelope import MAX_BESIDES_BYTES, check_reserved, flag, natural, read_envelope, shown


def test_reads_the_envelope_and_leaves_the_data() -> None:
    envelope = read_envelope(
        memoryview(b'{"id": "7", "inputs": [{"name": "x", "shape": [2], "data": [1, 2]}], "outputs": [{"name": "y"}]}'),
        1,
    )

    assert envelope.id == "7"
    assert [(tensor.name, tensor.shape, bytes(tensor.data)) for tensor in envelope.inputs] == [("x", [2], b"[1, 2]")]
    assert envelope.outputs is not None
    assert [output.name for output in envelope.outputs] == ["y"]


@pytest.mark.parametrize(
    ("json", "words"),
    [
        (b"", "no JSON"),
        (b'{"inputs": [', "no JSON"),
        (b'{"inputs": [{"name": "x", "data": [1,,2]}]}', "no JSON"),
        (b'{"inputs": [{"name": "\xff"}]}', "no JSON"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": {}}', r"\$\.inputs"),
        (b'{"inputs": [[1]]}', r"\$\.inputs\[0\]"),
        (b'{"inputs": [{"shape": [1]}]}', "missing required field `name`"),
        (b'{"inputs": [], "id": 7}', r"\$\.id"),
        (b'{"inputs": [], "parameters": [1]}', r"\$\.parameters"),
        (b'{"inputs": [], "outputs": ["y"]}', r"\$\.outputs\[0\]"),
        (b'{"inputs": [], "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_request_is_refused(json: bytes, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        read_envelope(memoryview(json), 2)


@pytest.mark.parametrize("word", [b"NaN", b"-NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_json_lacks_are_blamed_on_their_tensor(word: bytes) -> None:
    json = b'{"inputs": [{"name": "a", "data": [1]}, {"data": [[1, 2], [3, %b]], "name": "b"}]}' % word

    with pytest.raises(InvalidTensor, match=r"'b': element 3 of 'data' is NaN or Infinity.*binary"):
        read_envelope(memoryview(json), 2)


def test_a_text_that_says_nan_is_not_blamed() -> None:
    with pytest.raises(InvalidTensor, match="no JSON"):
        read_envelope(memoryview(b'{"inputs": [{"name": "a", "data": ["NaN", }]}'), 1)


LARGE = MAX_BESIDES_BYTES + 1


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (b'"parameters": {"a": [%b[]]}, "inputs": []' % (b"[]," * (LARGE // 3)), "at most 1048576 are read"),
        (b'"parameters": NaN, "outputs": [%b[]], "inputs": []' % (b"[]," * (LARGE // 3)), "at most"),
        (b'"outputs": [%b{"name": "y"}], "inputs": []' % (b'{"name": "y"},' * (LARGE // 14)), "at most"),
        (b'"inputs": [%b{"name": "y"}]' % (b'{"name": "y"},' * (LARGE // 14)), "more inputs than the model.*has 2"),
        (b'"inputs": [{"name": "x", "shape": [%b1]}]' % (b"1," * (LARGE // 2)), "at most"),
        (b'"inputs": [{"name": "x", "datatype": [%b1]}]' % (b"1," * (LARGE // 2)), "at most"),
        (b'"inputs": [{"name": "x", "parameters": {"a": [%b1]}}]' % (b"1," * (LARGE // 2)), "at most"),
        (b'"id": "%b", "inputs": []' % (b"x" * LARGE), "at most"),
    ],
)
def test_a_large_request_is_not_made_objects_of_before_it_is_refused(members: bytes, words: str) -> None:
    json = memoryview(b"{%b}" % members)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidTensor, match=words):
            read_envelope(json, 2)
        assert tracemalloc.get_traced_memory()[1] < 8 * LARGE
    finally:
        tracemalloc.stop()


def test_data_and_unknown_members_may_be_large() -> None:
    data = b"[%b1]" % (b"1," * LARGE)
    json = b'{"note": %b, "inputs": [{"name": "x", "data": %b}, {"name": "y", "data": %b}]}' % (data, data, data)

    envelope = read_envelope(memoryview(json), 2)

    assert [bytes(tensor.data) for tensor in envelope.inputs] == [data, data]


@pytest.mark.parametrize("value", [None, 0, "", False])
def test_a_sequence_that_is_none_is_let_pass(value: Any) -> None:
    check_reserved({"sequence_id": value, "own": "x"})


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_flag_is_true_or_false(value: Any) -> None:
    with pytest.raises(InvalidTensor, match="'binary_data'"):
        flag({"binary_data": value}, "binary_data", default=True)


@pytest.mark.parametrize("value", [-1, 1.0, "1", True, 2**63])
def test_a_natural_number_is_one(value: Any) -> None:
    with pytest.raises(InvalidTensor, match="'timeout'"):
        natural({"timeout": value}, "timeout")


def test_long_values_are_cut_in_sentences() -> None:
    assert shown("x" * 1000) == "'" + "x" * 78 + "…"
    assert shown([1, 2]) == "[1, 2]"
