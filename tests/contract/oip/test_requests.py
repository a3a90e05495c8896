"""What a request may look like and what comes back: forms, bytes, zero sizes, raw bodies, ids, parameters."""

import json
import struct

import httpx
import numpy as np
import pytest

from tests.contract.oip.asking import LENGTH, Asker, refusal
from tests.factories.tensors import Body, Sent, json_input, make_body, wire_bytes

ROW = np.array([[1, 2, 3, 4]], np.float32)
X = json_input(shape=[1, 4], data=[1, 2, 3, 4])


@pytest.fixture(params=["fast path", "Flask"])
def ask(request: pytest.FixtureRequest, ask: Asker, ask_flask: Asker) -> Asker:
    """Asks in front of Flask, and behind it."""
    return ask_flask if request.param == "Flask" else ask


def tail(answer: httpx.Response) -> bytes:
    """Return what follows the JSON of an answer."""
    return answer.content[int(answer.headers[LENGTH]) :]


def head(answer: httpx.Response) -> dict[str, object]:
    """Return the JSON of an answer that has binary tensors behind it."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    decoded: dict[str, object] = json.loads(answer.content[: int(answer.headers[LENGTH])])
    return decoded


def test_json_is_answered_in_json_without_the_length_header(ask: Asker) -> None:
    answer = ask.json("sums", inputs=[X])

    assert answer.headers["content-type"] == "application/json"
    assert LENGTH not in answer.headers
    assert answer.json() == {
        "model_name": "sums",
        "model_version": "1",
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 3], "data": [10.0, 1.0, -10.0]}],
    }


def test_an_output_says_itself_how_it_is_wanted(ask: Asker) -> None:
    inputs = [json_input("left", "FP32", [1, 1], data=[2]), json_input("right", "INT64", [1, 2], data=[3, 4])]
    outputs = [{"name": "turned", "parameters": {"binary_data": False}}, {"name": "doubled"}]

    answer = ask.json("pair", inputs=inputs, outputs=outputs, parameters={"binary_data_output": True})

    turned, doubled = head(answer)["outputs"]  # type: ignore[misc]
    assert turned["data"] == [4, 3]
    assert "data" not in doubled
    assert tail(answer) == struct.pack("<f", 4.0)


def test_json_and_binary_inputs_mix_in_any_order(ask: Asker) -> None:
    left = Sent("left", "FP32", [1, 2], np.array([[1, 2]], np.float32))
    right = Sent("right", "INT64", [1, 2], np.array([[3, 4]]), is_binary=True)

    for tensors in ([left, right], [right, left]):
        answer = ask("pair", make_body(tensors))
        assert {one["name"]: one["data"] for one in answer.json()["outputs"]} == {"doubled": [2, 4], "turned": [4, 3]}


def test_an_empty_length_header_form_is_the_raw_one(ask: Asker) -> None:
    answer = ask("sums", Body(ROW.tobytes(), 0))

    assert head(answer)["outputs"] == [
        {"name": "scores", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
    ]
    assert struct.unpack("<3f", tail(answer)) == (10.0, 1.0, -10.0)


def test_raw_bytes_are_one_element(ask: Asker) -> None:
    answer = ask("echo", Body("nul\x00 é".encode(), 0))

    assert tail(answer).startswith(wire_bytes("BYTES", ["nul\x00 é".encode()]))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_raw_form_of_another_size_is_refused(ask: Asker, size: int) -> None:
    refusal(ask("sums", Body(bytes(size), 0)))


def test_raw_form_is_for_models_of_one_input(ask: Asker) -> None:
    refusal(ask("pair", Body(bytes(8), 0)), "one input")


@pytest.mark.parametrize("size", [0, 1, 2**20])
@pytest.mark.parametrize("is_binary", [False, True])
def test_bytes_come_back_as_they_went(ask: Asker, size: int, is_binary: bool) -> None:
    texts = [b"\x00" * size, "é€😀".encode() * (size // 9), b""]
    wanted = {"name": "same", "parameters": {"binary_data": is_binary}}

    answer = ask("echo", make_body([Sent("text", "BYTES", [3], texts, is_binary=is_binary)], outputs=[wanted]))

    if is_binary:
        assert tail(answer) == wire_bytes("BYTES", texts)
    else:
        assert [text.encode() for text in answer.json()["outputs"][0]["data"]] == texts


@pytest.mark.parametrize("shape", [[2, 0], [1, 0]])
def test_tensors_without_elements_need_no_data(ask: Asker, shape: list[int]) -> None:
    inputs = [json_input("left", "FP32", shape), json_input("right", "INT64", shape, data=[])]

    answer = ask.json("pair", inputs=inputs)

    assert answer.status_code == 200, answer.text
    assert [(one["shape"], one["data"]) for one in answer.json()["outputs"]] == [(shape, []), (shape, [])]


@pytest.mark.parametrize("name", ["x", "é", "a" * 200, "1"])
def test_id_comes_back(ask: Asker, name: str) -> None:
    assert ask.json("sums", inputs=[X], id=name).json()["id"] == name


def test_what_is_not_known_is_ignored(ask: Asker) -> None:
    answer = ask.json("sums", inputs=[{**X, "note": 1}], model_name="other", extra={"deep": [1]}, parameters={"own": 1})

    assert answer.status_code == 200, answer.text
    assert answer.json()["model_name"] == "sums"


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_content_type_does_not_matter(ask: Asker, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}

    assert ask("sums", json.dumps({"inputs": [X]}).encode(), headers).status_code == 200


@pytest.mark.parametrize("rows", [1, 3, 8, 9, 50])
def test_rows_keep_their_order_over_batches(ask: Asker, rows: int) -> None:
    values = np.random.default_rng(rows).random((rows, 4), np.float32)

    answer = ask("sums", make_body([Sent("x", "FP32", [rows, 4], values, is_binary=True)]))

    scores = np.array(answer.json()["outputs"][0]["data"], np.float32).reshape(rows, 3)
    assert scores[:, 1].tolist() == values[:, 0].tolist()


def test_timeout_is_a_deadline(ask: Asker) -> None:
    late = ask.json("slow", inputs=[json_input(data=[1, 2])], parameters={"timeout": 1})

    refusal(late, status=504)


def test_facts_of_the_answer_are_in_its_headers(ask: Asker) -> None:
    answer = ask.json("sums", inputs=[X])

    assert (answer.headers["x-model-name"], answer.headers["x-model-version"]) == ("sums", "1")
    assert {"queue", "compute", "total"} <= {
        part.split(";")[0].strip() for part in answer.headers["server-timing"].split(",")
    }


def test_a_model_that_raises_is_named(ask: Asker) -> None:
    refusal(ask.json("fails", inputs=[json_input(data=[-1, 2])]), "negative", status=502)


def test_one_bad_request_fails_no_neighbour(ask: Asker) -> None:
    assert ask.json("fails", inputs=[json_input(data=[1, 2])]).json()["outputs"][0]["data"] == [1.0, 2.0]
