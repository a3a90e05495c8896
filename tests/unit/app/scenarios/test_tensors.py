"""Requests against a signature: what fits is read whichever way it is sent, what does not is named."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from app.errors import InvalidTensor
from app.scenarios.tensors import RequestReader, WantedOutput
from tests.factories.tensors import DATATYPES, WIRE, Body, Sent, json_body, json_input, make_body, spec

PAIR = RequestReader([spec("x", "FP32", [-1, 2])], [spec("y", "FP32", [-1, 3]), spec("z", "BYTES", [-1])])
TWO = RequestReader([spec("a", "INT8", [-1]), spec("b", "BYTES", [-1])], [spec("y", "FP32", [-1])])
GOOD = json_input(data=[1, 2])
BINARY = {"binary_data_size": 8}


def pair_body(*inputs: dict[str, Any], tail: bytes = b"", **members: Any) -> Body:
    """Return a request to PAIR with bytes behind its JSON."""
    header = json.dumps({"inputs": list(inputs) or [GOOD], **members}).encode()
    return Body(header + tail, len(header))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (json_body(inputs=[json_input(data=[1, 2, 3])]), "'x': shape .* has 2 elements, 'data' holds 3"),
        (json_body(inputs=[json_input(data=[])]), "'data' holds 0"),
        (json_body(inputs=[json_input()]), "'x' has neither"),
        (json_body(inputs=[json_input(data=None)]), "'x' has neither"),
        (json_body(inputs=[json_input(data=[1, 2], parameters=BINARY)]), "'x' has both"),
        (json_body(inputs=[json_input(shape=[1, -2], data=[1, 2])]), "'x' .*dimension 1"),
        (json_body(inputs=[json_input(shape=[1, 3], data=[1, 2, 3])]), "'x' .*dimension 1 must be 2"),
        (json_body(inputs=[json_input(shape=[2], data=[1, 2])]), "'x' has 1 dimensions"),
        (json_body(inputs=[json_input(datatype="FP64", data=[1, 2])]), "'x' is of datatype 'FP64'"),
        (json_body(inputs=[json_input(datatype=7, data=[1, 2])]), "'x' is of datatype 7"),
        (json_body(inputs=[GOOD, GOOD]), "'x' is given twice"),
        (json_body(inputs=[]), "'x' is missing"),
        (json_body(inputs=[GOOD, json_input("other", data=[1, 2])]), "no input 'other'; it has 'x'"),
        (json_body(inputs=[GOOD], outputs=[{"name": "w"}]), "no output 'w'; it has 'y', 'z'"),
        (json_body(inputs=[GOOD], outputs=[{"name": "y"}, {"name": "y"}]), "'y' is asked for twice"),
        (json_body(inputs=[GOOD], parameters={"triton_x": 1}), "'triton_x' is reserved"),
        (json_body(inputs=[GOOD], parameters={"sequence_id": 5}), "'sequence_id': sequences"),
        (json_body(inputs=[GOOD], parameters={"sequence_start": True}), "'sequence_start': sequences"),
        (json_body(inputs=[GOOD], parameters={"timeout": -1}), "'timeout' must be a whole number"),
        (json_body(inputs=[GOOD], parameters={"priority": True}), "'priority' must be a whole number"),
        (json_body(inputs=[GOOD], parameters={"binary_data_output": 1}), "'binary_data_output' must be true or false"),
        (json_body(inputs=[{**GOOD, "parameters": {"triton_x": 1}}]), "'triton_x' is reserved"),
        (json_body(inputs=[json_input(parameters={"shared_memory_region": "r"})]), "'x': shared memory"),
    ],
)
def test_requests_that_break_the_protocol_are_refused(body: Body, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        PAIR.read(body.data, body.json_bytes)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({"name": "y", "parameters": {"binary_data": "yes"}}, "'binary_data' must be true or false"),
        ({"name": "y", "parameters": {"classification": 0}}, "'classification' must be a whole number of at least 1"),
        ({"name": "y", "parameters": {"classification": 1.5}}, "'classification'"),
        ({"name": "y", "parameters": {"shared_memory_region": "r"}}, "'y': shared memory"),
        ({"name": "z", "parameters": {"classification": 2}}, "'z' is of BYTES"),
    ],
)
def test_outputs_that_nobody_can_give_are_refused(output: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        PAIR.read(json_body(inputs=[GOOD], outputs=[output]).data, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (pair_body(json_input(parameters=BINARY), tail=bytes(7)), "'x': 'binary_data_size' is 8, but only 7 bytes"),
        (pair_body(json_input(parameters=BINARY), tail=bytes(9)), "1 more bytes of binary data"),
        (pair_body(tail=b"more"), "4 more bytes"),
        (pair_body(json_input(parameters={"binary_data_size": 4}), tail=bytes(4)), "'x' .*takes 8 bytes .* not 4"),
        (pair_body(json_input(parameters={"binary_data_size": -8})), "'binary_data_size' must be"),
        (pair_body(json_input(parameters={"binary_data_size": 2**63})), "'binary_data_size' must be"),
        (pair_body(json_input(parameters={"binary_data_size": True})), "'binary_data_size' must be"),
        (Body(b"{}", 3), "Content-Length is 3, but the body has only 2"),
        (Body(json.dumps({"inputs": [GOOD]}).encode(), 5), "no JSON"),
    ],
)
def test_binary_data_that_do_not_fit_are_refused(body: Body, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        PAIR.read(body.data, body.json_bytes)


def test_binary_data_without_the_header_are_explained() -> None:
    with pytest.raises(InvalidTensor, match="Inference-Header-Content-Length"):
        PAIR.read(json_body(inputs=[json_input(parameters=BINARY)]).data, None)


def test_inputs_that_differ_in_rows_are_refused() -> None:
    body = json_body(inputs=[json_input("a", "INT8", [2], data=[1, 2]), json_input("b", "BYTES", [1], data=["t"])])

    with pytest.raises(InvalidTensor, match="dimension 0, the batch: 'a' has 2, 'b' has 1"):
        TWO.read(body.data, None)


def test_what_is_not_of_the_protocol_is_ignored() -> None:
    body = json_body(
        inputs=[{**GOOD, "own": 1}], model_name="m", id="a", outputs=None,
        parameters={"own": {"deep": 1}, "sequence_id": 0, "sequence_start": False, "timeout": 2500},
    )  # fmt: skip

    request = PAIR.read(body.data, None)

    assert (request.id, request.timeout_s, request.rows) == ("a", 0.0025, 1)
    assert request.outputs == [WantedOutput("y"), WantedOutput("z")]


def test_outputs_come_as_asked_each_in_its_own_way() -> None:
    outputs = [{"name": "z", "parameters": {"binary_data": False}}, {"name": "y", "parameters": {"classification": 2}}]
    body = json_body(inputs=[GOOD], outputs=outputs, parameters={"binary_data_output": True})

    assert PAIR.read(body.data, None).outputs == [WantedOutput("z"), WantedOutput("y", is_binary=True, classes=2)]


def test_inputs_come_in_the_order_of_the_signature() -> None:
    body = make_body(
        [
            Sent("b", "BYTES", [2], [b"\0", b""], is_binary=True),
            Sent("a", "INT8", [2], np.array([1, -2], np.int8), is_binary=True),
        ]
    )

    first, second = TWO.read(body.data, body.json_bytes).inputs

    assert list(first.elements) == [1, -2]
    assert second.elements == [b"\0", b""]


@pytest.mark.parametrize("shape", [[0, 2], [2, 0]])
def test_tensors_without_elements_need_no_data(shape: list[int]) -> None:
    reader = RequestReader([spec("x", "FP16", [-1, -1])], [spec("y", "FP32", [-1])])
    variants: list[dict[str, Any]] = [{}, {"data": []}, {"parameters": {"binary_data_size": 0}}]

    for members in variants:
        request = reader.read(json_body(inputs=[json_input(datatype="FP16", shape=shape, **members)]).data, None)
        assert isinstance(request.inputs[0].elements, np.ndarray)
        assert list(request.inputs[0].elements.shape) == shape


@pytest.mark.parametrize(
    ("inner", "data", "shape"),
    [([2], bytes(8), [1, 2]), ([-1], bytes(12), [1, 3]), ([2, -1], bytes(16), [1, 2, 2]), ([-1], b"", [1, 0])],
)
def test_a_raw_body_is_a_batch_of_one(inner: list[int], data: bytes, shape: list[int]) -> None:
    request = RequestReader([spec("x", "FP32", [-1, *inner])], [spec("y", "FP32", [-1])]).read(data, 0)

    assert request.inputs[0].shape == shape
    assert request.outputs == [WantedOutput("y", is_binary=True)]


def test_a_raw_body_of_bytes_is_one_element() -> None:
    request = RequestReader([spec("x", "BYTES", [-1])], [spec("y", "FP32", [-1])]).read(b"a text", 0)

    assert request.inputs[0].elements == [b"a text"]


@pytest.mark.parametrize(
    ("reader", "data", "words"),
    [
        (TWO, b"", "one input"),
        (PAIR, bytes(9), "'x' .*takes 8 bytes .* not 9"),
        (RequestReader([spec("x", "FP32", [-1, -1, -1])], []), bytes(4), "all but one dimension"),
        (RequestReader([spec("x", "FP32", [-1, 0, -1])], []), bytes(4), "takes 0 bytes"),
        (RequestReader([spec("x", "FP32", [-1, -1])], []), bytes(5), "takes 4 bytes .* not 5"),
        (RequestReader([spec("x", "FP32", [4])], []), bytes(16), "batch of 1"),
        (RequestReader([spec("x", "BYTES", [-1, 2])], []), b"t", "one element"),
    ],
)
def test_raw_bodies_that_do_not_say_their_shape_are_refused(reader: RequestReader, data: bytes, words: str) -> None:
    with pytest.raises(InvalidTensor, match=words):
        reader.read(data, 0)


@st.composite
def tensors(draw: st.DrawFn) -> Sent:
    """Draw a tensor of any datatype and shape."""
    datatype = draw(st.sampled_from(DATATYPES))
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    count = int(np.prod(shape))
    is_binary = datatype in ("FP16", "BF16") or draw(st.booleans())
    if datatype == "BYTES":
        one = st.binary(max_size=9) if is_binary else st.text(max_size=9).map(str.encode)
        return Sent("x", datatype, shape, draw(st.lists(one, min_size=count, max_size=count)), is_binary)

    raw = draw(st.binary(min_size=8 * count, max_size=8 * count))
    dtype = np.dtype(WIRE.get(datatype, "<f4"))
    values = np.frombuffer(raw[: dtype.itemsize * count], dtype if dtype.kind != "b" else "u1").reshape(shape)
    if dtype.kind == "b":
        values = values % 2 == 1
    if dtype.kind == "f":
        values = np.nan_to_num(values)
    if datatype == "BF16":
        values = (values.view("<u4") & 0xFFFF0000).view("<f4")
    return Sent("x", datatype, shape, values, is_binary)


@given(st.lists(tensors(), min_size=1, max_size=4))
def test_any_tensors_arrive_as_they_were_sent(drawn: list[Sent]) -> None:
    sent = [
        Sent(f"t{i}", each.datatype, [2, *each.shape], _twice(each), each.is_binary) for i, each in enumerate(drawn)
    ]
    body = make_body(sent)
    reader = RequestReader([spec(each.name, each.datatype, [-1] * len(each.shape)) for each in sent], [])

    for want, got in zip(sent, reader.read(body.data, body.json_bytes).inputs, strict=True):
        assert got.shape == want.shape
        if isinstance(want.values, list):
            assert got.elements == want.values
        else:
            np.testing.assert_array_equal(got.elements, want.values)


def _twice(tensor: Sent) -> Any:
    """Return the tensor and the tensor turned round, as two rows."""
    if isinstance(tensor.values, list):
        return [*tensor.values, *reversed(tensor.values)]
    return np.stack([tensor.values, np.flip(tensor.values)])


@given(st.integers(0, 300), st.integers(0, 9), st.binary(max_size=5), st.none() | st.integers(0, 300))
def test_a_damaged_body_is_read_or_refused(start: int, cut: int, put: bytes, json_bytes: int | None) -> None:
    good = pair_body(json_input(parameters=BINARY), tail=bytes(8))
    damaged = good.data[:start] + put + good.data[start + cut :]

    for reader in (PAIR, TWO):
        try:
            request = reader.read(damaged, good.json_bytes if json_bytes is None else json_bytes)
        except InvalidTensor:
            continue
        assert all(len(tensor.elements) == tensor.shape[0] for tensor in request.inputs)


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
def test_real_payloads_are_read_as_their_index_says(subtests: pytest.Subtests) -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "oip-payloads"
    with (folder / "index.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))

    for row in rows:
        with subtests.test(row["file"]):
            data = (folder / row["file"]).read_bytes()
            if row["verdict_by_spec"].startswith("valid"):
                payload = json.loads(data)
                request = reader_of(payload).read(data, None)
                assert [len(tensor.elements) for tensor in request.inputs] == [
                    rows_of(each) for each in payload["inputs"]
                ]
            else:
                with pytest.raises(InvalidTensor, match="not a v2 inference request"):
                    PAIR.read(data, None)
    assert len(rows) == 19


def reader_of(payload: dict[str, Any]) -> RequestReader:
    """Return the reader of a model that takes the payload, whose dimensions are all free."""
    inputs = [spec(each["name"], each["datatype"], [-1] * max(1, len(each["shape"]))) for each in payload["inputs"]]
    asked = [each["name"] for each in payload.get("outputs", [])]
    return RequestReader(inputs, [spec(name, "FP32", [-1]) for name in asked or ["y"]])


def rows_of(tensor: dict[str, Any]) -> int:
    """Return a tensor's first dimension; a shape without any is one row."""
    return int(tensor["shape"][0]) if tensor["shape"] else 1
