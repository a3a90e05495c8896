"""Texts on the wire between web and runner."""

from typing import Any

import msgspec
import pytest

from app.errors import InvalidFields
from app.scenarios.text import DEFAULT_TOP_K, TextPiece, decode_piece, encode_piece, read_parameters


@pytest.mark.parametrize("piece", [TextPiece(b""), TextPiece(b"\xc3", is_last=False), TextPiece(b"\0", is_last=True)])
def test_a_piece_comes_out_as_it_went_in(piece: TextPiece) -> None:
    assert decode_piece(encode_piece(piece)) == piece


@pytest.mark.parametrize("data", [b"", b"\x90", msgspec.msgpack.encode([1, True]), msgspec.msgpack.encode([b"", 1])])
def test_what_is_no_piece_cannot_be_read(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_piece(data)


def test_five_labels_are_wanted_unless_a_caller_says_otherwise() -> None:
    assert read_parameters({}).top_k == DEFAULT_TOP_K
    assert read_parameters({"top_k": 1000}).top_k == 1000


@pytest.mark.parametrize("parameters", [{"top_k": 0}, {"top_k": 1001}, {"top_k": "x"}, {"other": 1}])
def test_wrong_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields):
        read_parameters(parameters)
