"""Metrics of streams; labels come from bounded sets only."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.web.sockets.protocol import CloseCode

_BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SOCKETS: Final = Gauge("galley_sockets", "WebSockets that are open.", ["stream"], multiprocess_mode="livesum")
SESSIONS: Final = Counter(
    "galley_stream_sessions", "Sessions that were begun or resumed at a socket.", ["stream", "how"]
)
EVENTS: Final = Counter(
    "galley_stream_events",
    "Events that were answered or turned away, by the code of the failure, or `ok`.",
    ["stream", "code"],
)
EVENT_SECONDS: Final = Histogram(
    "galley_stream_event_seconds", "From an event's arrival to its answer.", ["stream"], buckets=_BUCKETS_S
)
CLOSED: Final = Counter("galley_sockets_closed", "WebSockets that ended, by close code.", ["stream", "code"])

# Noted besides those that the server says: protocol error, no code, went away, no UTF-8 (RFC 6455 §7.4.1).
_COUNTED: Final = frozenset({*CloseCode, 1002, 1005, 1006, 1007})
_OTHER: Final = "other"


def closed_label(code: int) -> str:
    """Return the label of a close code: clients may say any of thousands, which are counted as one."""
    return str(int(code)) if code in _COUNTED else _OTHER
