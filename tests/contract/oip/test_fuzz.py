"""Requests nobody would write: whatever comes, no 5xx, and every failure in the protocol's form."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.oip.asking import LENGTH, Asker, refusal
from tests.factories.oip_models import NUMBERS, input_name
from tests.factories.tensors import Body, json_input

# Derandomized, so that `make test` says the same twice; `make test-long` looks further.
usual = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
long = settings(usual, max_examples=4000, derandomize=False)
MODELS = ("sums", "pair", "echo", "everything")
VALID: dict[str, dict[str, Any]] = {
    "sums": {"inputs": [json_input(shape=[2, 4], data=[1] * 8)], "outputs": [{"name": "scores"}], "id": "a"},
    "pair": {"inputs": [json_input("left", data=[1, 2]), json_input("right", "INT64", data=[1, 2])]},
    "echo": {"inputs": [json_input("text", "BYTES", [2], data=["a", ""])], "parameters": {"binary_data_output": True}},
    "everything": {"inputs": [json_input(input_name(kind), kind, data=[0, 1]) for kind in NUMBERS]},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["FP32", "BYTES", "x", "binary_data_size", 2**31, 2**63 - 1, -1, 0, 1e308])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5)
)
members = ("inputs", "outputs", "id", "parameters", "name", "shape", "datatype", "data")
options = (
    "binary_data_size",
    "binary_data",
    "binary_data_output",
    "classification",
    "timeout",
    "priority",
    "sequence_id",
)
keys = st.text(max_size=8) | st.sampled_from([*members, *options, "shared_memory_region"])
lengths = st.integers(-5, 2000).map(str) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
headers = st.dictionaries(
    st.sampled_from([LENGTH, "Content-Encoding", "Accept-Encoding", "Content-Type", "Request-Timeout", "X-Subject"]),
    lengths | st.sampled_from(["gzip", "deflate", "identity", "br", "gzip;q=1e9", "application/json", "0.5"]),
    max_size=3,
)


@st.composite
def mutated(draw: st.DrawFn, model: str) -> Any:
    """A valid request with up to three of its parts replaced, removed or added."""
    request = json.loads(json.dumps(VALID[model]))
    for _ in range(draw(st.integers(1, 3))):
        _mutate(draw, request)
    return request


def _mutate(draw: st.DrawFn, place: Any) -> None:
    """Walk down some way and change what is there."""
    while True:
        index = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))) if place else None
        child = None if index is None else place[index]
        if not isinstance(child, dict | list) or draw(st.booleans()):
            break
        place = child
    if isinstance(place, list):
        place[index : index + 1 if index is not None else None] = draw(st.lists(values, max_size=2))
    elif index is not None and draw(st.booleans()):
        del place[index]
    else:
        place[draw(keys) if index is None or draw(st.booleans()) else index] = draw(values)


def check(answer: httpx.Response) -> None:
    """Assert that an answer is good, or refuses in the protocol's form."""
    assert answer.status_code < 500 or answer.status_code == 504, answer.text
    if answer.status_code != 200:
        refusal(answer, status=answer.status_code)


def send(ask: Asker, model: str, body: bytes, given_headers: Mapping[str, str]) -> None:
    check(ask(model, body, {name: value.strip() for name, value in given_headers.items()}))


def check_mutated(ask: Asker, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    # Not as keywords: a member may have any name.
    check(ask(model, json.dumps(data.draw(mutated(model))).encode()))


def check_bytes(ask: Asker, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    body = data.draw(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
    send(ask, model, body, data.draw(headers))


def check_tails(ask: Asker, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(MODELS))
    request = json.loads(json.dumps(VALID[model]))
    tail = data.draw(st.binary(max_size=64))
    for tensor in request["inputs"]:
        if data.draw(st.booleans()):
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": data.draw(st.integers(0, len(tail)) | values)}
    head = json.dumps(request).encode()
    check(ask(model, Body(head + tail, data.draw(st.just(len(head)) | st.integers(0, len(head) + len(tail) + 2)))))


@usual
@given(st.data())
def test_mutated_requests_are_answered_or_refused(ask: Asker, data: st.DataObject) -> None:
    check_mutated(ask, data)


@usual
@given(st.data())
def test_arbitrary_bytes_and_headers_are_refused(ask: Asker, data: st.DataObject) -> None:
    check_bytes(ask, data)


@usual
@given(st.data())
def test_arbitrary_binary_tails_are_answered_or_refused(ask: Asker, data: st.DataObject) -> None:
    check_tails(ask, data)


@pytest.mark.long
@long
@given(st.data())
def test_many_more_mutated_requests(ask: Asker, data: st.DataObject) -> None:
    check_mutated(ask, data)


@pytest.mark.long
@long
@given(st.data())
def test_many_more_arbitrary_bytes_and_headers(ask: Asker, data: st.DataObject) -> None:
    check_bytes(ask, data)


@pytest.mark.long
@long
@given(st.data())
def test_many_more_arbitrary_binary_tails(ask: Asker, data: st.DataObject) -> None:
    check_tails(ask, data)
