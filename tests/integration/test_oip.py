"""The Open Inference Protocol through the web app, the inference client and a real runner."""

import gzip
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.scenarios.tensor_frames import LARGE_JSON_BYTES
from tests.factories.runners import make_spec
from tests.factories.web import WebWorker
from tests.factories.web_runner import web_before

PATH = "/v2/models/colours/infer"
LENGTH = "Inference-Header-Content-Length"
PIXELS = 3 * 8 * 8


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@pytest.fixture(scope="module")
def web() -> Iterator[WebWorker]:
    """A web worker in front of a runner of `colours`, an image classifier that is called by its raw signature."""
    with tempfile.TemporaryDirectory(prefix="galley-") as name:
        folder = Path(name)
        with web_before(make_spec(folder, folder), folder) as worker:
            yield worker


def request_of(*rows: list[float], **members: Any) -> dict[str, Any]:
    """Return a request of one image per row, each channel of one value."""
    data = [value for row in rows for value in row for _ in range(PIXELS // 3)]
    image = {"name": "image", "shape": [len(rows), 3, 8, 8], "datatype": "FP32", "data": data}
    return {"inputs": [image], **members}


def infer(caller: FlaskClient, request: dict[str, Any], **options: Any) -> TestResponse:
    return caller.post(PATH, data=orjson.dumps(request), **options)


def test_json_in_json_out(caller: FlaskClient) -> None:
    response = infer(caller, request_of([0.1, 0.2, 0.3], [1.0, 0.0, 0.5], id="42", model_name="ignored"))

    assert response.status_code == 200, response.text
    body = response.json
    assert (body["model_name"], body["model_version"], body["id"]) == ("colours", "1", "42")
    (scores,) = body["outputs"]
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP32", [2, 3])
    assert scores["data"] == pytest.approx([1.0, 2.0, 3.0, 10.0, 0.0, 5.0], abs=1e-4)
    assert response.headers["X-Model-Version"] == "1"


def test_binary_in_binary_out_compressed_both_ways(caller: FlaskClient) -> None:
    request = request_of([0.5, 0.25, 0.0], parameters={"binary_data_output": True})
    values = request["inputs"][0].pop("data")
    request["inputs"][0]["parameters"] = {"binary_data_size": 4 * PIXELS}
    json = orjson.dumps(request)
    body = gzip.compress(json + struct.pack(f"<{PIXELS}f", *values))

    headers = {LENGTH: str(len(json)), "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    response = caller.post(PATH, data=body, headers=headers)

    assert response.headers["Content-Encoding"] == "gzip"
    answer = gzip.decompress(response.data)
    head = int(response.headers[LENGTH])
    assert orjson.loads(answer[:head])["outputs"][0]["parameters"] == {"binary_data_size": 12}
    assert struct.unpack("<3f", answer[head:]) == pytest.approx([5.0, 2.5, 0.0], abs=1e-4)


def test_raw_form_is_one_row(caller: FlaskClient) -> None:
    response = caller.post(PATH, data=struct.pack(f"<{PIXELS}f", *[0.5] * PIXELS), headers={LENGTH: "0"})

    assert response.status_code == 200, response.text
    head = int(response.headers[LENGTH])
    assert struct.unpack("<3f", response.data[head:]) == pytest.approx([5.0, 5.0, 5.0], abs=1e-4)


def test_large_json_is_read_by_the_runner(caller: FlaskClient) -> None:
    request = request_of(*[[0.1, 0.2, 0.3]] * 2000)
    assert len(orjson.dumps(request)) > LARGE_JSON_BYTES

    response = infer(caller, request)

    assert response.status_code == 200, response.text
    assert response.json["outputs"][0]["shape"] == [2000, 3]


def test_classification_names_the_best(caller: FlaskClient) -> None:
    outputs = [{"name": "scores", "parameters": {"classification": 2}}]

    response = infer(caller, request_of([0.1, 0.2, 0.3], outputs=outputs))

    (scores,) = response.json["outputs"]
    assert (scores["datatype"], scores["shape"]) == ("BYTES", [1, 2])
    assert [label.split(":")[1:] for label in scores["data"]] == [["2", "blue"], ["1", "green"]]


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"shape": [1, 3, 8, 9]}, ["image", "8", "9"]),
        ({"shape": [1, 3, 8]}, ["image"]),
        ({"datatype": "INT8"}, ["image", "FP32"]),
        ({"data": [1.0]}, ["image"]),
        ({"name": "picture"}, ["picture"]),
    ],
)
def test_wrong_tensor_is_named(caller: FlaskClient, wrong: dict[str, Any], names: list[str]) -> None:
    request = request_of([0.1, 0.2, 0.3])
    request["inputs"][0] |= wrong

    response = infer(caller, request)

    assert (response.status_code, response.json["code"]) == (400, "invalid_tensor")
    assert [name for name in names if name not in response.json["error"]] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"inputs": []}', b'{"inputs": [{"data": [NaN]}]}', b"\xff\xfe"])
def test_body_that_is_no_request_is_a_bad_request(caller: FlaskClient, body: bytes) -> None:
    response = caller.post(PATH, data=body)

    assert response.status_code == 400
    assert response.json["error"]
