"""Responses: JSON, binary data and classes in any mix, and outputs that one of them has no form for."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from app.errors import InvalidTensor
from app.scenarios import tensor_answers
from app.scenarios.tensor_answers import AnswerWriter, best_classes
from app.scenarios.tensor_elements import TensorData
from app.scenarios.tensor_frames import read_answer
from app.scenarios.tensors import TensorRequest, WantedOutput
from model_store.manifest import Datatype, Manifest
from tests.factories.tensors import Sent, answer_json, read_outputs, spec
from tests.unit.app.scenarios.test_tensors import tensors


def write(outputs: dict[str, tuple[Datatype, Any]], *wanted: WantedOutput, **facts: Any) -> bytes:
    """Return the frame that answers with these outputs, rank 1 or 2, all in JSON unless said otherwise."""
    specs = [spec(name, datatype, [-1] * np.ndim(values)) for name, (datatype, values) in outputs.items()]
    writer = AnswerWriter(Manifest(name="m", version=3, outputs=specs, labels=["red", "green"]))
    data = {name: TensorData(list(np.shape(values)), values) for name, (_datatype, values) in outputs.items()}
    request = TensorRequest([], list(wanted) or [WantedOutput(name) for name in outputs], id=facts.get("id"))
    return writer.write(request, data, variant=facts.get("variant"))


def test_an_answer_says_what_gave_it() -> None:
    frame = write({"y": ("FP32", np.array([[0.1, 2]], np.float32))}, id="a7", variant="blue")

    assert answer_json(frame) == {
        "model_name": "m",
        "model_version": "3",
        "id": "a7",
        "parameters": {"variant": "blue"},
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [0.1, 2.0]}],
    }
    assert read_answer(frame).json_bytes is None


def test_what_nobody_gave_is_left_out() -> None:
    assert set(answer_json(write({"y": ("INT8", np.zeros(1, np.int8))}))) == {"model_name", "model_version", "outputs"}


def test_floats_are_as_short_as_they_can_be() -> None:
    assert b'"data":[0.1]' in bytes(read_answer(write({"y": ("FP32", np.array([0.1], np.float32))})).body)


def test_binary_outputs_follow_in_the_order_asked() -> None:
    outputs: dict[str, tuple[Datatype, Any]] = {
        "a": ("INT16", np.array([1, 2], np.int16)),
        "b": ("BYTES", [b"x", b"\xff"]),
        "c": ("FP64", np.zeros((0,))),
    }

    frame = write(outputs, WantedOutput("c", True), WantedOutput("b", True), WantedOutput("a", True))

    members = answer_json(frame)["outputs"]
    assert [(member["name"], member["parameters"]["binary_data_size"]) for member in members] == [
        ("c", 0), ("b", 10), ("a", 4),
    ]  # fmt: skip
    assert not any("data" in member for member in members)
    assert bytes(read_answer(frame).body).endswith(b"\1\0\0\0x\1\0\0\0\xff\1\0\2\0")


def test_an_empty_binary_output_still_has_the_header() -> None:
    frame = write({"y": ("FP32", np.zeros((0, 3), np.float32))}, WantedOutput("y", True))

    assert read_answer(frame).json_bytes == len(read_answer(frame).body)


@pytest.mark.parametrize(
    ("datatype", "values", "words"),
    [
        ("FP32", np.array([0, np.nan], np.float32), "'y' holds NaN or Infinity.*binary"),
        ("FP64", np.array([np.inf]), "'y' holds NaN or Infinity.*binary"),
        ("FP16", np.zeros(1, np.float16), "'y' is FP16.*binary"),
        ("BF16", np.zeros(1, np.float32), "'y' is BF16.*binary"),
        ("BYTES", [b"\xff"], "'y' holds bytes that are no UTF-8.*binary"),
    ],
)
def test_what_json_has_no_form_for_is_to_be_asked_as_binary(datatype: Datatype, values: Any, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        write({"y": (datatype, values)})
    assert read_answer(write({"y": (datatype, values)}, WantedOutput("y", True))).json_bytes


def test_classes_are_the_best_with_their_labels() -> None:
    scores = np.array([[0.25, 0.5, 0.1], [3, 2, 4]], np.float32)

    frame = write({"y": ("FP32", scores)}, WantedOutput("y", classes=2))

    (member,) = answer_json(frame)["outputs"]
    assert (member["datatype"], member["shape"]) == ("BYTES", [2, 2])
    assert member["data"] == ["0.5:1:green", "0.25:0:red", "4.0:2", "3.0:0:red"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[7, 9, 7]], np.uint8), [b"9:1", b"7:0", b"7:2"]),
        (np.array([[True, False, True]]), [b"1:0", b"1:2", b"0:1"]),
        (np.array([[np.nan, 1, 2]]), [b"2.0:2", b"1.0:1", b"nan:0"]),
        (np.zeros((0, 4)), []),
        (np.array([5, 6]), [b"5:0", b"6:0"]),
    ],
)
def test_classes_of_any_numbers(values: Any, expected: list[bytes]) -> None:
    best = best_classes(TensorData(list(values.shape), values), 9, [])

    assert best.elements == expected
    assert best.shape == [len(values), min(9, len(expected) // max(1, len(values)) or values.shape[-1])]


def test_without_a_batch_the_best_are_those_of_the_whole() -> None:
    writer = AnswerWriter(Manifest(name="m", version=1, outputs=[spec("y", "FP32", [1, 3])], labels=["red"]))
    scores = TensorData([1, 3], np.array([[3, 1, 2]], np.float32))

    frame = writer.write(TensorRequest([], [WantedOutput("y", classes=2)]), {"y": scores})

    (output,) = answer_json(frame)["outputs"]
    assert (output["shape"], output["data"]) == ([2], ["3.0:0:red", "2.0:2"])


def test_classes_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_answers, "MAX_TEXTS", 5)
    scores = np.zeros((3, 2), np.float32)

    assert write({"y": ("FP32", scores)}, WantedOutput("y", classes=1))
    with pytest.raises(InvalidTensor, match="'y' would be 6 classes; at most 5"):
        write({"y": ("FP32", scores)}, WantedOutput("y", classes=2))


@given(st.lists(tensors(), min_size=1, max_size=4))
def test_any_outputs_arrive_as_they_were_given(drawn: list[Sent]) -> None:
    names = [f"t{index}" for index in range(len(drawn))]
    specs = [spec(name, each.datatype, [-1] * len(each.shape)) for name, each in zip(names, drawn, strict=True)]
    wanted = [WantedOutput(name, each.is_binary) for name, each in zip(names, drawn, strict=True)]
    data = {name: TensorData(each.shape, each.values) for name, each in zip(names, drawn, strict=True)}

    writer = AnswerWriter(Manifest(name="m", version=1, outputs=specs))
    outputs = read_outputs(writer.write(TensorRequest([], wanted), data))

    assert list(outputs) == names
    for name, each in zip(names, drawn, strict=True):
        np.testing.assert_array_equal(np.asarray(outputs[name], object), np.asarray(each.values, object))
