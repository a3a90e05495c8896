"""Jobs of tensors: requests and records, and what is answered to them."""

import json

import numpy as np
import pytest

from app.errors import InvalidInput, InvalidTensor
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from app.scenarios.job_tensors import TensorJobs
from app.scenarios.tensor_answers import AnswerWriter
from app.scenarios.tensor_elements import TensorData
from app.scenarios.tensors import RequestReader
from model_store.manifest import Manifest
from tests.factories.tensors import json_body, json_input, spec

KIND = TensorJobs()
MANIFEST = Manifest(name="sum", version=3, inputs=[spec("x", "FP32", [-1, 2])], outputs=[spec("y", "FP32", [-1])])
READER = RequestReader(MANIFEST.inputs, MANIFEST.outputs)
WRITER = AnswerWriter(MANIFEST)


def read(content: Content, input_format: InputFormat) -> AskedRow:
    return KIND.reader(input_format, MANIFEST)(content)


def answer(body: bytes) -> bytes:
    """Return the kind's answer to a request, once the runner has summed its numbers."""
    request = READER.read(body, None)
    sums = np.asarray(request.inputs[0].elements).sum(axis=1, dtype=np.float32)
    frame = WRITER.write(request, {"y": TensorData([len(sums)], sums)})
    return KIND.answer(AskedRow([body]), [frame], b"{}")


@pytest.mark.parametrize("input_format", [InputFormat.NDJSON, InputFormat.RAW])
def test_a_request_is_the_row_as_it_is(input_format: InputFormat) -> None:
    assert read(b"whatever", input_format) == AskedRow([b"whatever"])


@pytest.mark.parametrize("record", [{"x": [1.5, 2.0]}, {"x": "[1.5, 2]"}, {"one": 1.5, "two": "2"}])
def test_a_record_becomes_a_request(record: dict[str, object]) -> None:
    (row,) = read(record, InputFormat.CSV).rows

    (tensor,) = READER.read(row, None).inputs
    assert np.asarray(tensor.elements).tolist() == [[1.5, 2.0]]


def test_a_row_is_answered_as_the_route_answers() -> None:
    body = json_body(id="r1", inputs=[json_input(shape=[2, 2], data=[1, 2, 3, 4])]).data

    members = json.loads(answer(body))
    assert (members["model_name"], members["model_version"], members["id"]) == ("sum", "3", "r1")
    assert [(output["name"], output["data"]) for output in members["outputs"]] == [("y", [3.0, 7.0])]
    assert set(members) <= set(KIND.columns)


def test_binary_outputs_are_a_bad_row() -> None:
    body = json_body(inputs=[json_input(data=[1, 2])], parameters={"binary_data_output": True}).data

    with pytest.raises(InvalidTensor, match="results are JSON"):
        answer(body)


def test_a_row_that_failed_is_a_bad_one() -> None:
    with pytest.raises(InvalidTensor, match="'x' is missing"):
        KIND.answer(AskedRow([b""]), [InvalidTensor("Tensor 'x' is missing.")], b"{}")


def test_a_table_has_the_models_inputs_or_their_elements() -> None:
    KIND.check_columns(["x"], MANIFEST)
    KIND.check_columns(["one", "two"], MANIFEST)

    with pytest.raises(InvalidInput, match="it takes 'x', or 2 columns of numbers"):
        KIND.check_columns(["one"], MANIFEST)
