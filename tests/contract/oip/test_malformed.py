"""What is malformed is a 400 whose sentence names the tensor, and the dimension, the element or the header."""

import json
import socket
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.contract.oip.asking import LENGTH, Asker, refusal
from tests.factories.oip_server import OipServer
from tests.factories.tensors import Body, Sent, json_body, json_input, make_body

ROW = np.array([[1, 2, 3, 4]], np.float32)
BINARY = make_body([Sent("x", "FP32", [1, 4], ROW, is_binary=True)])
RANGES = {f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
RANGES |= {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
DEEP = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":%s%s}]}' % (b"[" * 101, b"]" * 101)


@pytest.fixture(params=["fast path", "Flask"])
def ask(request: pytest.FixtureRequest, ask: Asker, ask_flask: Asker) -> Asker:
    """Asks in front of Flask, and behind it."""
    return ask_flask if request.param == "Flask" else ask


@pytest.mark.parametrize("length", ["-1", "1e2", "0x10", "ten", "", "99999999999999999999", "1,2", "+5", "٣"])
def test_header_length_is_a_number(ask: Asker, length: str) -> None:
    answer = ask("sums", BINARY.data, {LENGTH: length.encode()})  # type: ignore[dict-item]

    refusal(answer, LENGTH)


@pytest.mark.parametrize("more", [1, 1000])
def test_header_length_fits_the_body(ask: Asker, more: int) -> None:
    refusal(ask("sums", Body(BINARY.data, len(BINARY.data) + more)), LENGTH)


def test_header_length_that_cuts_the_json_is_refused(ask: Asker) -> None:
    assert BINARY.json_bytes is not None
    refusal(ask("sums", Body(BINARY.data, BINARY.json_bytes - 1)), "JSON")
    refusal(ask("sums", Body(BINARY.data, BINARY.json_bytes + 1)), "JSON")


def test_binary_without_the_header_is_no_json(ask: Asker) -> None:
    refusal(ask("sums", Body(BINARY.data)), "JSON")


@pytest.mark.parametrize("change", [-1, -16, 1, 100])
def test_binary_data_are_neither_short_nor_long(ask: Asker, change: int) -> None:
    data = BINARY.data[:change] if change < 0 else BINARY.data + bytes(change)

    refusal(ask("sums", Body(data, BINARY.json_bytes)), "binary data")


@pytest.mark.parametrize("size", [0, 12, 17, -16, 16.5, "16", True, 2**63, None])
def test_binary_size_is_what_the_shape_takes(ask: Asker, size: object) -> None:
    head = json.dumps({"inputs": [json_input(shape=[1, 4], parameters={"binary_data_size": size})]}).encode()

    refusal(ask("sums", Body(head + ROW.tobytes(), len(head))), "'x'")


@pytest.mark.parametrize("data", [[1, 2, 3], [1, 2, 3, 4, 5], [], [[1, 2], [3]], [[[]]]])
def test_data_have_as_many_elements_as_the_shape(ask: Asker, data: object) -> None:
    refusal(ask.one("sums", data=data), "'x'", "4")


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2, 3, 4]], [[[1], [2], [3], [4]]], [[1, 2], [3, 4]]])
def test_data_are_nested_or_flat(ask: Asker, data: object) -> None:
    answer = ask.one("sums", data=data)

    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == [10.0, 1.0, -10.0]


@pytest.mark.parametrize("data", ["text", 5, {"a": 1}, True, ["1", 2, 3, 4], [None, 2, 3, 4], [{}, 2, 3, 4]])
def test_data_are_numbers_in_a_list(ask: Asker, data: object) -> None:
    refusal(ask.one("sums", data=data), "'x'")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1e39"])
def test_data_are_finite_and_fit(ask: Asker, number: str) -> None:
    body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,%s]}]}' % number.encode()

    refusal(ask("sums", body))


def test_data_nested_too_deep_are_refused(ask: Asker) -> None:
    refusal(ask("sums", DEEP), "'x'")
    refusal(ask("sums", DEEP.replace(b"[" * 101, b"[" * 100_000).replace(b"]" * 101, b"]" * 100_000)))


@pytest.mark.parametrize(
    "shape",
    [
        [],
        [4],
        [1, 5],
        [1, 4, 1],
        [-1, 4],
        [1, -4],
        [1.0, 4],
        ["1", 4],
        [None, 4],
        [True, 4],
        [2**63, 4],
        [2**40, 2**40],
    ],
)
def test_shape_fits_the_signature(ask: Asker, shape: object) -> None:
    refusal(ask.one("sums", shape=shape), "'x'")


@pytest.mark.parametrize("shape", [None, "1,4", 4, {}])
def test_shape_is_a_list(ask: Asker, shape: object) -> None:
    refusal(ask.one("sums", shape=shape))


@pytest.mark.parametrize("datatype", ["FP64", "fp32", "FLOAT", "", None, 5, "BYTES"])
def test_datatype_is_that_of_the_signature(ask: Asker, datatype: object) -> None:
    refusal(ask.one("sums", datatype=datatype))


@pytest.mark.parametrize("kind", list(RANGES))
def test_integers_are_in_range(ask: Asker, kind: str) -> None:
    least, most = RANGES[kind]
    for value in (least - 1, most + 1, 0.5):
        tensor = json_input(kind.lower(), kind, [1, 2], data=[0, value])
        refusal(ask("everything", json_body(inputs=[tensor])), repr(kind.lower()))


@pytest.mark.parametrize("kind", ["FP16", "BF16"])
def test_half_floats_are_binary_only(ask: Asker, kind: str) -> None:
    tensor = json_input(kind.lower(), kind, [1, 2], data=[0, 1])

    refusal(ask("everything", json_body(inputs=[tensor])), repr(kind.lower()), "binary")


@pytest.mark.parametrize("value", [2, -1, 0.5, "true", None])
def test_booleans_are_true_or_false(ask: Asker, value: object) -> None:
    refusal(ask("everything", json_body(inputs=[json_input("bools", "BOOL", [1, 2], data=[True, value])])), "'bools'")


def test_names_of_tensors_are_known_and_used_once(ask: Asker) -> None:
    good = json_input(shape=[1, 4], data=[1, 2, 3, 4])

    refusal(ask.json("sums", inputs=[good, good]), "'x'", "twice")
    refusal(ask.json("sums", inputs=[good, {**good, "name": "extra"}]), "'extra'")
    refusal(ask.json("pair", inputs=[json_input("left", "FP32", [1, 1], data=[1])]), "'right'", "missing")
    refusal(ask.json("sums", inputs=[good], outputs=[{"name": "scores"}, {"name": "scores"}]), "'scores'", "twice")
    refusal(ask.json("sums", inputs=[good], outputs=[{"name": "nothing"}]), "'nothing'")


def test_rows_of_all_inputs_agree(ask: Asker) -> None:
    left, right = json_input("left", "FP32", [2, 1], data=[1, 2]), json_input("right", "INT64", [3, 1], data=[1, 2, 3])

    refusal(ask.json("pair", inputs=[left, right]), "dimension 0", "'left' has 2", "'right' has 3")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"{}",
        b'{"inputs":[]}',
        b'{"inputs":{}}',
        b'{"inputs":[5]}',
        b'{"inputs":null}',
        b"\xff\xfe{}",
        b'{"inputs":[{"name":"\xff"}]}',
        b'{"inputs":[]} trailing',
        bytes(50),
    ],
)
def test_json_is_a_request(ask: Asker, body: bytes) -> None:
    refusal(ask("sums", body))


@pytest.mark.parametrize("member", ["id", "parameters", "outputs"])
def test_members_are_of_their_types(ask: Asker, member: str) -> None:
    good = json_input(shape=[1, 4], data=[1, 2, 3, 4])

    refusal(ask.json("sums", inputs=[good], **{member: 5}))


@pytest.mark.parametrize(
    "parameters",
    [{"triton_secret": 1}, {"timeout": -1}, {"timeout": "soon"}, {"priority": -1}, {"binary_data_output": "yes"}],
)
def test_reserved_parameters_are_checked(ask: Asker, parameters: dict[str, object]) -> None:
    good = json_input(shape=[1, 4], data=[1, 2, 3, 4])

    refusal(ask.json("sums", inputs=[good], parameters=parameters), next(iter(parameters)))


def test_two_sources_of_data_are_one_too_many(ask: Asker) -> None:
    tensor = json_input(shape=[1, 4], data=[1, 2, 3, 4], parameters={"binary_data_size": 16})
    shared = json_input(shape=[1, 4], parameters={"shared_memory_region": "r", "shared_memory_byte_size": 16})

    refusal(ask.json("sums", inputs=[tensor]), "'x'", "binary_data_size")
    refusal(ask.json("sums", inputs=[shared]), "'x'", "shared memory")
    refusal(ask.json("sums", inputs=[json_input(shape=[1, 4])]), "'x'")


@pytest.mark.parametrize("classes", [0, -1, 1.5, "2", True])
def test_number_of_classes_is_positive(ask: Asker, classes: object) -> None:
    good = json_input(shape=[1, 4], data=[1, 2, 3, 4])
    asked = {"name": "scores", "parameters": {"classification": classes}}

    refusal(ask.json("sums", inputs=[good], outputs=[asked]), "classification")


@pytest.mark.parametrize(
    "data", [b"\x05\x00\x00\x00four", b"\x05\x00\x00", b"\xff\xff\xff\xffa", b"\x01\x00\x00\x00ab"]
)
def test_lengths_of_bytes_elements_fit(ask: Asker, data: bytes) -> None:
    head = json.dumps(
        {"inputs": [json_input("text", "BYTES", [1], parameters={"binary_data_size": len(data)})]}
    ).encode()

    refusal(ask("echo", Body(head + data, len(head))), "'text'")


def test_bytes_that_are_no_text_are_refused_where_the_model_takes_text(ask: Asker) -> None:
    refusal(ask("echo", make_body([Sent("text", "BYTES", [1], [b"\xff\xfe"], is_binary=True)])), "'text'")


@pytest.mark.parametrize(
    "members",
    [
        b'"parameters":{"a":[%b[]]},"inputs":[]' % (b"[]," * 7_000_000),
        b'"inputs":[%b{"name":"x"}]' % (b'{"name":"x"},' * 1_500_000),
    ],
    ids=["brackets", "inputs"],
)
def test_millions_of_members_hang_no_runner(ask: Asker, http: httpx.Client, members: bytes) -> None:
    """The controller kills a runner that is silent for seconds, and others' requests with it."""
    before = runner_pids(http)

    refusal(ask("pair", b"{%b}" % members))

    assert runner_pids(http) == before


def test_rows_that_cost_nothing_are_bounded(ask: Asker) -> None:
    inputs = [json_input("left", "FP32", [2**40, 0]), json_input("right", "INT64", [2**40, 0])]

    refusal(ask.json("pair", inputs=inputs), "'left'", "dimension 1")


def runner_pids(http: httpx.Client) -> list[int]:
    """Return the processes that run `pair`."""
    return [runner["pid"] for runner in http.get("/api/v1/models/pair/versions/1").json()["runners"]]


def test_duplicate_and_unended_requests_hurt_nobody(server: OipServer, http: httpx.Client) -> None:
    """Two length headers, and a body that never comes, are refused or closed; the server goes on."""
    head = f"POST /v2/models/sums/infer HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {server.token}\r\n"
    lengths = f"{LENGTH}: 5\r\n{LENGTH}: 6\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=10) as raw:
        raw.sendall((head + lengths).encode() + b"0123456")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=10) as raw:
        raw.sendall((head + "Content-Length: 100\r\n\r\n").encode() + b"{")
    assert http.get("/v2/health/live").status_code == 200
