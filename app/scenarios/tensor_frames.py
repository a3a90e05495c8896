"""What the web tier knows of a v2 inference request: a peek into its JSON, and the frame its answer comes in.

The body itself goes to the runner as it came, and the runner's answer to the client likewise. No numpy here: a web
worker imports this module, and never one that reads tensors.
"""

import struct
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import InvalidTensor

# A larger JSON part is not even peeked at on the hub; its timeout is minded by the runner.
LARGE_JSON_BYTES: Final = 2**20
# Stands in the frame where no Inference-Header-Content-Length belongs to the answer.
_PLAIN = 0xFFFFFFFF
_LENGTH = struct.Struct("<I")

Natural = Annotated[int, Meta(ge=0)]


class Peek(Struct, frozen=True):
    """What decides how a request is treated before it is read: 0 stands for none, as in the protocol."""

    id: str
    timeout_us: int
    priority: int


class TensorAnswer(Struct, frozen=True):
    """A v2 inference response: its bytes, and how many of them are JSON if binary data follow (None if all are)."""

    json_bytes: int | None
    body: memoryview


class TensorParameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the web tier tells the runner of a body: the header's JSON length (None without one), and the variant."""

    json_bytes: Natural | None = None
    variant: str | None = None


class _PeekParameters(Struct, frozen=True):
    timeout: Natural = 0
    priority: Natural = 0


class _PeekRequest(Struct, frozen=True):
    id: str | None = None
    parameters: _PeekParameters | None = None


_decode = msgspec.json.Decoder(_PeekRequest).decode
_NO_PARAMETERS = _PeekParameters()
_NOTHING = Peek("", 0, 0)


def peek_request(json: bytes | memoryview) -> Peek:
    """Return id, timeout and priority from the JSON part of a request; what else is in there is skipped.

    Never raises: of what cannot be read nothing is seen, and the runner says what is wrong with it.
    """
    try:
        request = _decode(json)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING

    parameters = request.parameters or _NO_PARAMETERS
    return Peek(request.id or "", parameters.timeout, parameters.priority)


def read_parameters(raw: dict[str, Any]) -> TensorParameters:
    """Return the parameters that came with a row of tensors.

    :raises InvalidTensor: when they are none.
    """
    try:
        return msgspec.convert(raw, TensorParameters)
    except msgspec.ValidationError as err:
        raise InvalidTensor(f"The parameters beside the tensors are wrong: {err}.") from err


def pack_answer(body: bytes, json_bytes: int | None) -> bytes:
    """Return the frame of an answer."""
    return _LENGTH.pack(_PLAIN if json_bytes is None else json_bytes) + body


def read_answer(frame: bytes | memoryview) -> TensorAnswer:
    """Return the answer that is in a frame; its body is a view, not a copy."""
    (json_bytes,) = _LENGTH.unpack_from(frame)
    return TensorAnswer(None if json_bytes == _PLAIN else json_bytes, memoryview(frame)[_LENGTH.size :])
