"""Logging of every process: one JSON object per line on standard error, structlog's and the library's alike."""

import json
import logging
import select
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.infra.off_hub import off_hub

# Never written, whoever passes them by mistake.
SECRET_FIELDS = frozenset({"authorization", "token", "access_token", "client_secret", "secret", "password"})

GATHER_S: Final = 0.1
# Lines that wait while their reader hangs, about 400 bytes each; what comes then is lost, and counted.
MOST_GATHERED: Final = 50_000

_JSON: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z

# Loggers that tell of every connection, row or refusal at INFO.
QUIET_LOGGERS = ("flask_cors", "flask-limiter", "urllib3", "PIL", "alembic")


def setup_logging(level: str, stream: BinaryIO | None = None) -> None:
    """Send all log records of `level` and above to `stream` (standard error) as JSON lines.

    Calling it again replaces the earlier set-up.
    """
    global _output, _level  # noqa: PLW0603 - a process has one log
    output = _output = _Tolerant(stream or sys.stderr.buffer)
    number = _level = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_shared_processors(), *_exceptions(), _to_line],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _LineLogger(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_TextOver(output))
    handler.setFormatter(_library_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def write_event(event: EventDict) -> None:
    """Write an event of level INFO as structlog would, in a quarter of its time: for the line that each request leaves.

    Nothing of the context is added: it says what it is given, its level and its time. Where lines are gathered it is
    made a line with the others, so it must not be changed afterwards.
    """
    if _level <= logging.INFO:
        event["level"] = "info"
        _output.tell(drop_secrets(None, "info", stamp(None, "info", event)))


def gather_lines() -> None:
    """Write log lines every GATHER_S from now on, all that came together: a thousand requests a second are cheap then.

    What a process that is killed said last is lost. Call it after `setup_logging`, where a process serves many.
    """
    _output.gather()


def stop_gathering() -> None:
    """Write what was gathered, and each line at once from now on; a process that ends calls it last."""
    _output.stop_gathering()


class _Tolerant:
    """A binary stream whose failures cost lines, never the work that they tell of.

    A process that outlives the one that read its pipe writes to nobody; a disk may be full.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._gathered: list[bytes | EventDict] = []
        self._lost = 0
        self._gatherer: threading.Thread | None = None
        self._is_ending = threading.Event()

    def gather(self) -> None:
        """Let lines wait for each other, and begin to write them on a thread."""
        self._is_ending.clear()
        self._gatherer = threading.Thread(target=self._drain_often, name="log", daemon=True)
        self._gatherer.start()

    def stop_gathering(self) -> None:
        """Write what waits, and end the thread."""
        gatherer, self._gatherer = self._gatherer, None
        if gatherer is not None:
            self._is_ending.set()
            gatherer.join()

    def write(self, data: bytes) -> int:
        if self._gatherer is None:
            return self._write(data)

        self._keep(data)
        return len(data)

    def tell(self, event: EventDict) -> None:
        """Write an event as a line; one that is gathered is made one with all others, when caches are warm for it."""
        if self._gatherer is None:
            self._write(_to_line(None, "", event))
            self._flush()
        else:
            self._keep(event)

    def flush(self) -> None:
        if self._gatherer is None:
            self._flush()

    def _keep(self, line: bytes | EventDict) -> None:
        if len(self._gathered) < MOST_GATHERED:
            self._gathered.append(line)
        else:
            self._lost += 1

    def _drain_often(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._is_ending.wait(GATHER_S)
            gathered, self._gathered = self._gathered, []
            if self._lost:
                gathered.append(_loss_line(self._lost))
                self._lost = 0
            if gathered:
                # A pipe that is full must not hold the hub.
                off_hub(self._write_all, gathered)

    def _write_all(self, gathered: list[bytes | EventDict]) -> None:
        """Write whole lines, in pieces that the lines of other processes on the same pipe cannot break into.

        NOTE: of a line longer than PIPE_BUF, a traceback above all, nobody promises that.
        """
        piece = b""
        for it in gathered:
            line = it if isinstance(it, bytes) else _to_line(None, "", it)
            if piece and len(piece) + len(line) > select.PIPE_BUF:
                self._write(piece)
                piece = b""
            piece += line
        self._write(piece)

    def _write(self, data: bytes) -> int:
        with suppress(OSError, ValueError):
            written = self._stream.write(data)
            self._flush()
            return written
        return 0

    def _flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _LineLogger:
    """What structlog hands whole lines to. Its own one locks, and looks for interrupted calls, around each of them."""

    def __init__(self, stream: _Tolerant) -> None:
        self._stream = stream

    def msg(self, line: bytes) -> None:
        self._stream.write(line)
        self._stream.flush()

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = err = msg


class _TextOver:
    """A text stream over a binary one, flushed with every record."""

    def __init__(self, stream: _Tolerant) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode(errors="replace"))

    def flush(self) -> None:
        self._stream.flush()


_output = _Tolerant(sys.stderr.buffer)
_level = logging.INFO


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        stamp,
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


def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Say when; orjson writes it down in a third of the time that structlog's own stamp takes for its text."""
    event["timestamp"] = datetime.now(UTC)
    return event


def drop_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank the fields that must never reach a log."""
    for name in SECRET_FIELDS.intersection(event):
        event[name] = "[secret]"
    return event


def _loss_line(count: int) -> bytes:
    """Return the line that stands where others would."""
    event = {"event": "log lines were lost: their reader hung", "lost": count, "level": "warning"}
    return _to_line(None, "warning", stamp(None, "warning", {**event, "logger": __name__}))


def _to_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    try:
        return orjson.dumps(event, default=repr, option=_JSON | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # Half a character, which a caller can send in JSON: no line may be lost over it, nor the thread that writes.
        return json.dumps(event, default=str).encode() + b"\n"


def _to_json_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _to_line(_logger, _method, event).decode().removesuffix("\n")
