"""One inference as it comes over HTTP: its body unpacked, its header's length checked, its JSON glanced at."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.errors import InvalidTensor
from app.inference.messages import Lane, Row
from app.scenarios.tensor_frames import LARGE_JSON_BYTES, Peek, peek_request
from app.web.compression import body_encoding, inflate

LENGTH_HEADER: Final = "Inference-Header-Content-Length"
LENGTH_VARIABLE: Final = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"

# More digits than any body's length has.
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_UNKNOWN: Final = Peek(id="", timeout_us=0, priority=0)

# The protocol's priority 0 is the default and 1 the highest; what comes after them can wait.
_LAST_INTERACTIVE: Final = 1


@dataclass(frozen=True, slots=True)
class TensorCall:
    """A whole request body. `json_bytes` of it are JSON and binary tensors follow; None means that all is JSON."""

    body: Row
    json_bytes: int | None
    peek: Peek

    @property
    def lane(self) -> Lane:
        """The lane its priority asks for."""
        return Lane.INTERACTIVE if self.peek.priority <= _LAST_INTERACTIVE else Lane.BATCH


def read_call(body: Row, environ: Mapping[str, Any], *, limit_bytes: int) -> TensorCall:
    """Read an inference from its body and its request's headers; its tensors are left to the runner.

    :raises UnsupportedEncoding: when it is compressed in a way that is not read.
    :raises BodyTooLarge: when more than `limit_bytes` come out of it.
    :raises InputError: when it cannot be read, or its header's length is not one.
    """
    encoding = body_encoding(environ.get("HTTP_CONTENT_ENCODING", ""))
    if encoding:
        body = inflate(body, encoding, limit_bytes=limit_bytes)
    json_bytes = _json_bytes(environ.get(LENGTH_VARIABLE), len(body))
    return TensorCall(body, json_bytes, _peek(body, json_bytes))


def _json_bytes(text: str | None, size_bytes: int) -> int | None:
    """Return how much of the body is JSON, by the header.

    :raises InvalidTensor: when that is no number, or more than there is. Several headers arrive joined by commas.
    """
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        raise InvalidTensor(f"{LENGTH_HEADER} must be one number of bytes, not '{text[:32]}'.")
    if int(text) > size_bytes:
        raise InvalidTensor(f"{LENGTH_HEADER} is {int(text)}, but the body has {size_bytes} bytes.")

    return int(text)


def _peek(body: Row, json_bytes: int | None) -> Peek:
    """Look for what must be known before the runner reads the rest. Nothing large is parsed on the hub."""
    size = len(body) if json_bytes is None else json_bytes
    if size > LARGE_JSON_BYTES or json_bytes == 0:
        return _UNKNOWN

    return peek_request(memoryview(body)[:size])
