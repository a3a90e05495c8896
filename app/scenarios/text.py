"""Text classification: what may be asked of a text, whole or as it comes, on the wire between web and runner.

A whole text is a row of its UTF-8 bytes. A text that comes in pieces is a sequence, and each piece a row of it.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import InvalidFields

TASK: Final = "text-classification"
DEFAULT_TOP_K: Final = 5
MAX_TOP_K: Final = 1000
# Of a whole text, and of one piece: a quarter of a second of a small model.
MAX_TEXT_BYTES: Final = 2**18


class TextParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller may choose: how many labels of a whole text, best first. More than the model has means all."""

    top_k: Annotated[int, Meta(ge=1, le=MAX_TOP_K)] = DEFAULT_TOP_K


class TextPiece(Struct, frozen=True, array_like=True):
    """The next bytes of a text, split wherever it may be, and whether they are the last.

    The runner answers with a finished JSON object, `{"label", "score", "final"}`: what the text so far is taken for.
    Behind the last piece the sequence begins another text.
    """

    text: bytes
    is_last: bool = False


encode_piece: Any = msgspec.msgpack.Encoder().encode
decode_piece = msgspec.msgpack.Decoder(TextPiece).decode


def read_parameters(raw: dict[str, Any]) -> TextParameters:
    """Return the parameters of a request to a runner.

    :raises InvalidFields: for an unknown parameter or a value out of range.
    """
    try:
        return msgspec.convert(raw, TextParameters)
    except msgspec.ValidationError as err:
        raise InvalidFields({"parameters": [f"{err}."]}) from err
