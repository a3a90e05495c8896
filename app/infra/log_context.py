"""Fields that every log line of the current request, task or batch carries."""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add `fields` to all log lines written inside the block, by this thread, greenlet or what it calls."""
    with bound_contextvars(**fields):
        yield


def begin_log_context(**fields: object) -> None:
    """Forget what earlier work on this thread or greenlet left, and start with `fields`."""
    clear_contextvars()
    bind_contextvars(**fields)
