"""The tensor pipeline alone: from a body to model inputs, from outputs to a body, and its made-up rows."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from app.errors import InvalidTensor
from model_store.manifest import Datatype, Manifest
from model_store.signature import SampleTensor
from tests.factories.models import tensor
from tests.factories.tensor_models import doubles_manifest, echoes_manifest, parameters_of, shouts_manifest
from tests.factories.tensors import DATATYPES, Body, Sent, answer_json, json_body, json_input, make_body, read_outputs
from workers.runner.loaded_model import TORCH_DTYPES, check_tensor
from workers.runner.pipelines import tensors
from workers.runner.pipelines.base import Limits, PreparedRow
from workers.runner.pipelines.tensors import QUICK_BINARY_BYTES, QUICK_JSON_BYTES, TensorPipeline
from workers.runner.values import Strings


def make_pipeline(manifest: Manifest) -> TensorPipeline:
    """Return the pipeline of a manifest."""
    return TensorPipeline(manifest, Limits())


def prepare(pipeline: TensorPipeline, body: Body, **more: Any) -> PreparedRow:
    """Prepare one request."""
    return pipeline.prepare(body.data, parameters_of(body, **more))


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name != "BYTES"])
def test_every_datatype_reaches_torch_and_comes_back(datatype: Datatype) -> None:
    pipeline = make_pipeline(echoes_manifest(datatype))
    values = np.array([[0, 1], [1, 0], [1, 1]], np.float32)
    body = make_body([Sent("x", datatype, [3, 2], values, is_binary=True)], parameters={"binary_data_output": True})

    row = prepare(pipeline, body)

    assert tensor(row.inputs[0]).dtype == TORCH_DTYPES[datatype]
    assert tensor(row.inputs[0]).tolist() == values.tolist()
    (frame,) = pipeline.encode([row], list(row.inputs))
    assert isinstance(frame, bytes)
    np.testing.assert_array_equal(read_outputs(frame)["y"], values)


def test_texts_are_strings_to_the_model() -> None:
    body = make_body(
        [Sent("texts", "BYTES", [2], [b"", "ü".encode()], True), Sent("number", "INT64", [2], np.arange(2))]
    )

    row = prepare(make_pipeline(shouts_manifest()), body)

    assert row.inputs[0] == Strings(["", "ü"], (2,))
    assert row.size == 2


def test_rows_that_would_be_too_many_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MAX_CALLS", 2)
    pipeline = make_pipeline(echoes_manifest("UINT8", max_batch_size=4))

    assert prepare(pipeline, make_body([Sent("x", "UINT8", [8, 2], np.zeros((8, 2)), is_binary=True)])).size == 8
    with pytest.raises(InvalidTensor, match="'x' has 9 rows, its dimension 0; at most 8"):
        prepare(pipeline, make_body([Sent("x", "UINT8", [9, 2], np.zeros((9, 2)), is_binary=True)]))


def test_bytes_that_are_no_text_are_refused() -> None:
    body = make_body([Sent("texts", "BYTES", [2], [b"a", b"\xff"], True), Sent("number", "INT64", [2], np.arange(2))])

    with pytest.raises(InvalidTensor, match="'texts': element 1 is no UTF-8"):
        prepare(make_pipeline(shouts_manifest()), body)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.randoms())
def test_each_request_gets_its_own_rows(sizes: list[int], dice: Any) -> None:
    pipeline = make_pipeline(doubles_manifest())
    blocks = [np.array([[dice.random()] for _ in range(size)], np.float32).reshape(size, 1) for size in sizes]
    rows = [
        prepare(pipeline, make_body([Sent("x", "FP32", [len(block), 1], block)], id=f"r{index}"))
        for index, block in enumerate(blocks)
    ]
    inputs = torch.cat([tensor(row.inputs[0]) for row in rows])

    frames = pipeline.encode(rows, [inputs * 2, inputs.sum(dim=1)])

    for index, (block, frame) in enumerate(zip(blocks, frames, strict=True)):
        assert isinstance(frame, bytes)
        assert answer_json(frame)["id"] == f"r{index}"
        np.testing.assert_array_equal(read_outputs(frame)["twice"], block * 2)
        np.testing.assert_array_equal(read_outputs(frame)["sum"], block.sum(axis=1))


def test_the_answer_names_model_version_and_variant() -> None:
    pipeline = make_pipeline(doubles_manifest(name="doubles", version=4))
    row = prepare(pipeline, json_body(inputs=[json_input(data=[1, 2])], outputs=[{"name": "sum"}]), variant="blue")

    (frame,) = pipeline.encode([row], [torch.zeros(1, 2), torch.tensor([3.0])])

    assert isinstance(frame, bytes)
    assert answer_json(frame) == {
        "model_name": "doubles",
        "model_version": "4",
        "parameters": {"variant": "blue"},
        "outputs": [{"name": "sum", "datatype": "FP32", "shape": [1], "data": [3.0]}],
    }


def test_an_output_that_json_cannot_hold_fails_its_request_alone() -> None:
    pipeline = make_pipeline(doubles_manifest())
    row = prepare(pipeline, json_body(inputs=[json_input(data=[1, 2])]))

    good, bad = pipeline.encode([row, row], [torch.tensor([[1.0, 2], [3, float("nan")]]), torch.zeros(2)])

    assert isinstance(good, bytes)
    assert isinstance(bad, InvalidTensor)


def test_parameters_of_the_model_may_be_outputs() -> None:
    pipeline = make_pipeline(echoes_manifest("FP32"))
    row = prepare(pipeline, json_body(inputs=[json_input(data=[1, 2])]))

    assert isinstance(pipeline.encode([row], [torch.nn.Parameter(torch.ones(1, 2))])[0], bytes)


def test_the_callers_timeout_is_kept() -> None:
    body = json_body(inputs=[json_input(data=[1, 2])], parameters={"timeout": 1500})

    assert prepare(make_pipeline(doubles_manifest()), body).timeout_s == 0.0015


@pytest.mark.parametrize(
    ("length", "json_bytes", "is_quick"),
    [
        (QUICK_JSON_BYTES, None, True),
        (QUICK_JSON_BYTES + 1, None, False),
        (QUICK_BINARY_BYTES, 100, True),
        (QUICK_BINARY_BYTES + 1, 100, False),
        (QUICK_BINARY_BYTES, 0, True),
    ],
)
def test_small_bodies_are_quick(length: int, json_bytes: int | None, is_quick: bool) -> None:
    body = Body(bytes(length), json_bytes)

    assert make_pipeline(doubles_manifest()).is_quick(body.data, parameters_of(body)) is is_quick


@pytest.mark.parametrize(
    "manifest", [doubles_manifest(), shouts_manifest(), *(echoes_manifest(datatype) for datatype in DATATYPES)]
)
def test_a_made_up_row_fits_the_signature(manifest: Manifest) -> None:
    pipeline = make_pipeline(manifest)
    rehearsal = pipeline.rehearsal()

    row = pipeline.prepare(rehearsal.data, pipeline.read_parameters(rehearsal.parameters))

    assert row.size == 1
    for wanted, value in zip(manifest.inputs, row.inputs, strict=True):
        check_tensor(wanted, value)


def test_a_made_up_row_is_the_first_of_a_sample_if_there_is_one() -> None:
    pipeline = make_pipeline(shouts_manifest())
    usual = [
        SampleTensor(name="texts", datatype="BYTES", shape=[2], data=["usual", "other"]),
        SampleTensor(name="number", datatype="INT64", shape=[2], data=[41, 42]),
    ]

    rehearsal = pipeline.rehearsal(usual)
    row = pipeline.prepare(rehearsal.data, pipeline.read_parameters(rehearsal.parameters))

    assert row.inputs[0] == Strings(["usual"], (1,))
    assert tensor(row.inputs[1]).tolist() == [41]
