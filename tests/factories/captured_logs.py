"""What was logged, as a list: by structlog, and the lines of requests, which do not go through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import structlog

from app.web import request_context


@contextmanager
def captured_logs() -> Iterator[list[Any]]:
    """Return the list; it grows during the block. Levels are called `log_level` there."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:

        def keep(event: dict[str, Any]) -> None:
            logs.append({**event, "log_level": "info"})

        with mock.patch.object(request_context, "write_event", keep):
            yield logs
