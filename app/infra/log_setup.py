"""Logging of every process: one JSON object per line on standard error, structlog's and the library's alike."""

import logging
import sys
from contextlib import suppress
from typing import BinaryIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Never written, whoever passes them by mistake.
SECRET_FIELDS = frozenset({"authorization", "token", "access_token", "client_secret", "secret", "password"})

# Loggers that tell of every connection, row or refusal at INFO.
QUIET_LOGGERS = ("flask_cors", "flask-limiter", "urllib3", "PIL", "alembic")


def setup_logging(level: str, stream: BinaryIO | None = None) -> None:
    """Send all log records of `level` and above to `stream` (standard error) as JSON lines.

    Calling it again replaces the earlier set-up.
    """
    output = _Tolerant(stream or sys.stderr.buffer)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_shared_processors(), *_exceptions(), _to_json],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, output)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_TextOver(output))
    handler.setFormatter(_library_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


class _Tolerant:
    """A binary stream whose failures cost lines, never the work that they tell of.

    A process that outlives the one that read its pipe writes to nobody; a disk may be full.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        with suppress(OSError):
            return self._stream.write(data)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _TextOver:
    """A text stream over a binary one, flushed with every record."""

    def __init__(self, stream: _Tolerant) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode(errors="replace"))

    def flush(self) -> None:
        self._stream.flush()


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_secrets,
    ]


def _exceptions() -> list[Processor]:
    return [structlog.processors.StackInfoRenderer(), structlog.processors.format_exc_info]


def _library_formatter() -> structlog.stdlib.ProcessorFormatter:
    """Return the formatter that gives records of `logging` the same members."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_exceptions(),
            _to_json_text,
        ],
    )


def drop_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the fields that must never reach a log."""
    for name in SECRET_FIELDS.intersection(event):
        event[name] = "[secret]"
    return event


def _to_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)


def _to_json_text(logger: WrappedLogger, method: str, event: EventDict) -> str:
    return _to_json(logger, method, event).decode()
