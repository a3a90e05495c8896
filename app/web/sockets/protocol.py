"""The frames of both streams as values: what clients may say, what the server answers, and why a socket is closed."""

import enum
from typing import Annotated, Any, Final

import msgspec
import orjson
from msgspec import Meta, Struct

from app.errors import GalleyError, InvalidFields, InvalidFrame, UnavailableError
from app.scenarios.outcomes import error_members
from app.web.error_handlers import INTERNAL_DETAIL, is_told

LARGEST_SEQ: Final = 2**53 - 1
"""Numbers up to here are exact wherever JSON is read."""

Seq = Annotated[int, Meta(ge=1, le=LARGEST_SEQ)]


class CloseCode(enum.IntEnum):
    """Why a socket ends (RFC 6455 §7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    """The worker drains: connect again and resume."""
    POLICY = 1008
    """The token, a limit, or the order of frames."""
    TOO_BIG = 1009
    INTERNAL = 1011
    TRY_LATER = 1013


class Hello(Struct, tag_field="type", tag="hello", frozen=True, forbid_unknown_fields=True):
    """Who is there, and which session it goes on with; also a fresh token for the session that runs."""

    token: str | None = None
    resume: str | None = None


class EventFrame(Struct, tag_field="type", tag="event", frozen=True, forbid_unknown_fields=True):
    """One payment, as the route over HTTP takes it; read by its stream."""

    seq: Seq
    event: msgspec.Raw


class TextFrame(Struct, tag_field="type", tag="text", frozen=True, forbid_unknown_fields=True):
    """The next piece of a text, and whether it is the last.

    Bytes that were split inside a character are no text; they come in `base64`, in the place of `text`.
    """

    seq: Seq
    text: str | None = None
    base64: bytes | None = None
    end: bool = False

    @property
    def content(self) -> bytes:
        """The bytes of the piece, in UTF-8.

        :raises InvalidFrame: unless it came in one of the two ways.
        """
        if (self.text is None) is (self.base64 is None):
            raise InvalidFrame("Send either text or base64.")

        return self.text.encode() if self.text is not None else self.base64 or b""


class Ping(Struct, tag_field="type", tag="ping", frozen=True):
    """Asks for a pong."""


class Pong(Struct, tag_field="type", tag="pong", frozen=True):
    """Answers a ping."""


class Bye(Struct, tag_field="type", tag="bye", frozen=True):
    """The client is done: its session ends."""


Work = EventFrame | TextFrame
"""Frames with a seq, each of which is answered."""
Control = Hello | Ping | Pong | Bye
Frame = Work | Control


class FrameReader:
    """Reads the frames of one stream, whose work comes in frames of one sort."""

    def __init__(self, work: type[EventFrame] | type[TextFrame]) -> None:
        self._decode: Any = msgspec.json.Decoder(work | Control).decode

    def read(self, data: str) -> Frame:
        """Return the frame that a text message holds.

        :raises InvalidFrame: saying what is wrong with it.
        """
        try:
            frame: Frame = self._decode(data)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as err:
            raise InvalidFrame(f"{err}") from err
        return frame


PING: Final = '{"type":"ping"}'
PONG: Final = '{"type":"pong"}'


def ready_frame(**members: Any) -> str:
    """Return the frame that opens a session: its id, how to resume it, its last seq, credits, and what answers."""
    return orjson.dumps({"type": "ready", **members}).decode()


def answer_frame(kind: str, seq: int, answer: bytes | memoryview, *, credits_left: int) -> str:
    """Return the frame of an answer that is a JSON object already; it is not read again."""
    head = f'{{"type":"{kind}","seq":{seq},"credits":{credits_left}'
    rest = str(answer[1:], "utf-8")
    return f"{head}{rest}" if rest.lstrip().startswith("}") else f"{head},{rest}"


def error_frame(error: GalleyError, seq: int | None = None, *, is_retryable: bool | None = None) -> str:
    """Return the frame that says what went wrong, with the work that is not done, or altogether.

    `is_retryable` overrules what the error says of itself.
    """
    members: dict[str, Any] = {"type": "error"} if seq is None else {"type": "error", "seq": seq}
    members |= error_members(error if is_told(type(error)) else GalleyError(INTERNAL_DETAIL))
    members["retryable"] = error.is_retryable if is_retryable is None else is_retryable
    if isinstance(error, InvalidFields):
        members["errors"] = error.errors
    if isinstance(error, UnavailableError):
        members["retry_after_s"] = error.retry_after_s
    return orjson.dumps(members).decode()
