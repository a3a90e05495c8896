"""An inference as it comes: its header's length, its JSON glanced at, its body unpacked."""

import gzip
import json
import zlib
from typing import Any

import pytest
from flask import Flask, request

from app.errors import BodyTooLarge, EmptyBody, InputError, InvalidTensor, UnreadableBody, UnsupportedEncoding
from app.inference.messages import Lane
from app.scenarios.tensor_frames import LARGE_JSON_BYTES
from app.web.blueprints.oip.calls import LENGTH_HEADER, TensorCall, read_call
from app.web.body import read_large

LIMIT = 4 * 2**20
JSON = json.dumps({"id": "7", "parameters": {"timeout": 250_000, "priority": 2}, "inputs": []}).encode()


def read(body: bytes, **headers: Any) -> TensorCall:
    """Read a request with these headers; underscores in their names are hyphens."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    with Flask(__name__).test_request_context("/v2", method="POST", data=body, headers=named):
        return read_call(read_large("an inference request"), request.environ, limit_bytes=LIMIT)


def read_with_length(body: bytes, length: str) -> TensorCall:
    return read(body, Inference_Header_Content_Length=length)


def test_without_the_header_all_is_json() -> None:
    call = read(JSON)

    assert (call.body, call.json_bytes) == (JSON, None)
    assert (call.peek.id, call.peek.timeout_us) == ("7", 250_000)


def test_with_the_header_tensors_follow_the_json() -> None:
    call = read_with_length(JSON + b"\x00\xff", str(len(JSON)))

    assert (call.body, call.json_bytes) == (JSON + b"\x00\xff", len(JSON))
    assert call.peek.id == "7"


def test_raw_form_has_no_json_to_look_at() -> None:
    call = read_with_length(b"\x00\xff", "0")

    assert (call.json_bytes, call.peek.timeout_us, call.lane) == (0, 0, Lane.INTERACTIVE)


@pytest.mark.parametrize("type_", ["application/json", "application/octet-stream", "text/plain; charset=utf-7", ""])
def test_content_type_is_not_looked_at(type_: str) -> None:
    assert read(JSON, Content_Type=type_).peek.id == "7"


@pytest.mark.parametrize(
    "length", ["-1", "+1", "1.0", "", "0x10", "ten", "1,1", "5, 5", "1e3", "٣", "9" * 40, str(len(JSON) + 1)]
)
def test_length_that_is_not_one_is_refused(length: str) -> None:
    with pytest.raises(InvalidTensor, match=LENGTH_HEADER):
        read_with_length(JSON, length.encode().decode("latin-1"))


@pytest.mark.parametrize(("priority", "lane"), [(0, Lane.INTERACTIVE), (1, Lane.INTERACTIVE), (2, Lane.BATCH)])
def test_priority_chooses_the_lane(priority: int, lane: Lane) -> None:
    assert read(json.dumps({"parameters": {"priority": priority}}).encode()).lane is lane


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"parameters": {"timeout": -1}}', b"\xff", b'{"id": 7}'])
def test_json_that_is_no_request_is_left_to_the_runner(body: bytes) -> None:
    call = read(body)

    assert (call.body, call.peek.timeout_us, call.lane) == (body, 0, Lane.INTERACTIVE)


def test_large_json_is_left_to_the_runner() -> None:
    body = b'{"id": "7", "broken": ' + b" " * LARGE_JSON_BYTES

    assert read(body).peek.id == ""


def test_large_body_comes_whole() -> None:
    body = JSON + bytes(range(256)) * 4096

    call = read_with_length(body, str(len(JSON)))

    assert (call.body, call.peek.id) == (body, "7")


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_length_counts_what_was_unpacked(name: str, pack: Any) -> None:
    body = JSON + bytes(100_000)

    call = read(pack(body), Content_Encoding=name, Inference_Header_Content_Length=len(JSON))

    assert (call.body, call.json_bytes) == (body, len(JSON))


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"", "", EmptyBody),
        (b"", "gzip", EmptyBody),
        (JSON, "br", UnsupportedEncoding),
        (JSON, "gzip", UnreadableBody),
        (gzip.compress(JSON, mtime=0)[:-4], "gzip", UnreadableBody),
        (gzip.compress(bytes(LIMIT + 1), mtime=0), "gzip", BodyTooLarge),
    ],
)
def test_body_that_cannot_be_unpacked_is_refused(body: bytes, encoding: str, error: type[InputError]) -> None:
    with pytest.raises(error):
        read(body, Content_Encoding=encoding)
