"""The settings of streams over WebSockets, a part of all settings."""

from dataclasses import dataclass
from typing import Any

from environs import Env

from app.setting_rules import credit_count, frame_size, positive, rate_limit


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How long streams and their sessions last, and how much may go through one."""

    max_sockets: int
    """WebSockets that a client may have open at once, over all web workers."""
    limit_events: str
    """Rate limit of the frames of streams that are answered, per client."""
    stream_credits: int
    """Frames that a client may have under way at once in one session, at most 1024."""
    stream_frame_bytes: int
    """Largest frame that is read."""
    stream_hello_s: float
    """Longest a new socket may take to say who it is; also, after its token expired, to bring another."""
    stream_ping_s: float
    """How long a socket may be silent before it is pinged."""
    stream_idle_s: float
    """How long a socket may bring no frame at all, not even a pong, before it is closed."""
    stream_max_age_s: float
    """How old a socket may become before its client is told to come again."""
    stream_keep_s: int
    """How long a session may be resumed after its socket ended."""


def read_stream_settings(env: Env) -> dict[str, Any]:
    """Return the values of these settings by their names; what is wrong with them, `env` will tell."""
    return {
        "max_sockets": env.int("MAX_SOCKETS", 1000, validate=positive),
        "limit_events": env.str("LIMIT_EVENTS", "10000/second", validate=rate_limit),
        "stream_credits": env.int("STREAM_CREDITS", 32, validate=credit_count),
        "stream_frame_bytes": env.int("STREAM_FRAME_BYTES", 64 * 2**10, validate=frame_size),
        "stream_hello_s": env.float("STREAM_HELLO_S", 30.0, validate=positive),
        "stream_ping_s": env.float("STREAM_PING_S", 25.0, validate=positive),
        "stream_idle_s": env.float("STREAM_IDLE_S", 300.0, validate=positive),
        "stream_max_age_s": env.float("STREAM_MAX_AGE_S", 86_400.0, validate=positive),
        "stream_keep_s": env.int("STREAM_KEEP_S", 3600, validate=positive),
    }
