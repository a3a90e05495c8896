"""The peek into a request, and the frame of its answer."""

import pytest

from app.errors import InvalidTensor
from app.scenarios.tensor_frames import Peek, TensorParameters, pack_answer, peek_request, read_answer, read_parameters


def test_a_peek_sees_id_timeout_and_priority() -> None:
    """Whatever else a request holds is skipped."""
    json = b'{"id": "a1", "inputs": [{"data": [1, 2]}], "parameters": {"timeout": 5000, "priority": 2, "own": "x"}}'

    assert peek_request(json) == Peek("a1", 5000, 2)


@pytest.mark.parametrize("json", [b"{}", b'{"id": null, "parameters": null}', b'{"parameters": {}}'])
def test_what_is_not_said_is_none(json: bytes) -> None:
    """0 and an empty id stand for none."""
    assert peek_request(json) == Peek("", 0, 0)


@pytest.mark.parametrize(
    "json",
    [b"", b"[]", b"{", b'{"id": 7}', b'{"id": "\xff"}', b'{"parameters": {"timeout": -1}}', b'{"x": ' + b"[" * 9999],
)
def test_of_what_cannot_be_read_nothing_is_seen(json: bytes) -> None:
    """The runner says what is wrong; a peek never raises."""
    assert peek_request(json) == Peek("", 0, 0)


@pytest.mark.parametrize("json_bytes", [None, 0, 5])
def test_an_answer_survives_its_frame(json_bytes: int | None) -> None:
    """Length and body come out as they went in; without a length the body is all JSON."""
    answer = read_answer(pack_answer(b"hello\0\xff", json_bytes))

    assert answer.json_bytes == json_bytes
    assert bytes(answer.body) == b"hello\0\xff"


def test_parameters_of_a_row_are_checked() -> None:
    """The web tier says the length and the variant, nothing else."""
    assert read_parameters({"json_bytes": 0, "variant": "b"}) == TensorParameters(json_bytes=0, variant="b")
    with pytest.raises(InvalidTensor, match="json_bytes"):
        read_parameters({"json_bytes": -1})
