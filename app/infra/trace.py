"""A caller's trace, as far as Galley takes part: W3C Trace Context, https://www.w3.org/TR/trace-context-2/."""

import re
import secrets
from dataclasses import dataclass
from typing import Final, Self

TRACEPARENT_VARIABLE: Final = "HTTP_TRACEPARENT"
"""The header as WSGI has it."""

_SAMPLED: Final = 0x01
_UNKNOWN_VERSION: Final = "ff"
# Later versions may append fields; those of version 00 stay where they are (§4.3).
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trace:
    """A piece of work of ours within a trace: its span, and the caller's that it belongs to."""

    trace_id: str
    parent_span_id: str
    span_id: str
    flags: int

    @classmethod
    def read(cls, traceparent: str) -> Self | None:
        """Begin a span below the one that a header names; None where it is no `traceparent`."""
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is None:
            return None

        version, trace_id, span_id, flags, more = match.groups()
        is_unknown = version == _UNKNOWN_VERSION or (version == "00" and more is not None)
        if is_unknown or not int(trace_id, 16) or not int(span_id, 16):
            return None

        return cls(trace_id, span_id, _new_span_id(), int(flags, 16))

    @property
    def is_sampled(self) -> bool:
        """Whether the caller records the trace, and wants to hear of it from everyone."""
        return bool(self.flags & _SAMPLED)

    @property
    def traceparent(self) -> str:
        """The header that hands the trace on to who works for this span."""
        return _header(self.trace_id, self.span_id, self.flags)

    def log_fields(self) -> dict[str, str]:
        """Return what log lines tell of it; the names are those that OpenTelemetry gives them."""
        return {
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "trace_flags": f"{self.flags & _SAMPLED:02x}",
        }


def traceparent_of(fields: dict[str, object]) -> str:
    """Return the header that goes on with the trace of these log fields; an empty string where they tell of none."""
    if "trace_id" not in fields:
        return ""

    return _header(str(fields["trace_id"]), str(fields["span_id"]), int(str(fields["trace_flags"]), 16))


def _header(trace_id: str, span_id: str, flags: int) -> str:
    # Of the flags only the one that we know is passed on (§4.3).
    return f"00-{trace_id}-{span_id}-{flags & _SAMPLED:02x}"


def _new_span_id() -> str:
    # All zeros is no span; the chance is left out rather than taken.
    return f"{secrets.randbelow(2**64 - 1) + 1:016x}"
