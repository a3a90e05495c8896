"""Fields that every log line of the current request, task or batch carries."""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

from app.infra.trace import Trace, traceparent_of


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add `fields` to all log lines written inside the block, by this thread, greenlet or what it calls."""
    with bound_contextvars(**fields):
        yield


def begin_log_context(**fields: object) -> None:
    """Forget what earlier work on this thread or greenlet left, and start with `fields`."""
    clear_contextvars()
    bind_contextvars(**fields)


def follow_request(request_id: str, traceparent: str, **fields: object) -> None:
    """Tell in all log lines of this thread, until its next work begins, for which request it works, and what else.

    `traceparent` hands on the trace of its caller; it is empty where there is none.
    """
    bind_contextvars(**request_fields(request_id, traceparent), **fields)


def request_fields(request_id: str, traceparent: str) -> dict[str, str]:
    """Return what log lines tell of a request that work is done for, in a span of its own."""
    trace = Trace.read(traceparent) if traceparent else None
    return {"request_id": request_id, **(trace.log_fields() if trace else {})}


def current_request_id() -> str:
    """Return the id of the request that this thread or greenlet works for; an empty string where it is for none."""
    return str(get_contextvars().get("request_id", ""))


def current_traceparent() -> str:
    """Return the header that hands on the trace of that request; an empty string where its caller sent none."""
    return traceparent_of(get_contextvars())
