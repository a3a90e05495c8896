"""One JSON object per line, whoever logs."""

import json
import logging
import os
import select
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import structlog

from app.infra import log_setup
from app.infra.log_context import begin_log_context, log_fields
from app.infra.log_setup import MOST_GATHERED, gather_lines, setup_logging, stop_gathering, write_event
from tests.factories.waiting import PATIENCE_S


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put logging back as it was after the test."""
    monkeypatch.setattr(log_setup, "_level", logging.INFO)
    monkeypatch.setattr(log_setup, "_output", log_setup._output)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def output(_as_before: None) -> BytesIO:
    stream = BytesIO()
    setup_logging("info", stream)
    return stream


def lines(output: BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_both_ways_of_logging_give_the_same_members(output: BytesIO) -> None:
    structlog.get_logger("a").info("loaded", model="digits")
    logging.getLogger("b").info("loaded %s", "digits")

    ours, theirs = lines(output)
    assert (ours["event"], ours["model"], ours["level"]) == ("loaded", "digits", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("loaded digits", "b", "info")
    for line in (ours, theirs):
        assert line["timestamp"].endswith("Z")
        assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_event_that_is_written_at_once_has_the_members_of_others(output: BytesIO) -> None:
    begin_log_context(request_id="another's")
    write_event({"event": "request", "status": 200, "token": "secret"})

    (line,) = lines(output)
    assert abs(datetime.fromisoformat(line.pop("timestamp")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert line == {"event": "request", "status": 200, "token": "[secret]", "level": "info"}


@pytest.mark.parametrize(("level", "count"), [("debug", 1), ("info", 1), ("warning", 0), ("critical", 0)])
@pytest.mark.usefixtures("_as_before")
def test_such_an_event_is_of_level_info(level: str, count: int) -> None:
    stream = BytesIO()
    setup_logging(level, stream)

    write_event({"event": "request"})
    assert len(lines(stream)) == count


def test_half_a_character_costs_no_line(output: BytesIO) -> None:
    half = "\ud83d"
    structlog.get_logger("a").info("loaded", name=half)
    # Not by a logger: what pytest hears it tells the process that started it, which cannot take this.
    own, *_ = (handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    own.handle(logging.makeLogRecord({"name": "b", "levelname": "INFO", "levelno": logging.INFO, "msg": half}))
    write_event({"event": "request", "code": half})

    assert [half in json.dumps(line, ensure_ascii=False) for line in lines(output)] == [True] * 3


def test_lines_below_the_level_are_not_written(output: BytesIO) -> None:
    structlog.get_logger("a").debug("quiet")
    logging.getLogger("b").debug("quiet")

    assert output.getvalue() == b""


def test_libraries_add_no_line_to_each_request(output: BytesIO) -> None:
    for name in ("flask-limiter", "flask_cors"):
        logging.getLogger(name).info("a request")

    assert output.getvalue() == b""


def test_secrets_are_blanked(output: BytesIO) -> None:
    structlog.get_logger("a").info("asked", token="eyJ", client_secret="s3cret", client="me")

    (line,) = lines(output)
    assert (line["token"], line["client_secret"], line["client"]) == ("[secret]", "[secret]", "me")


def test_exceptions_stay_on_one_line(output: BytesIO) -> None:
    try:
        raise ValueError("odd\nvalue")
    except ValueError as err:
        structlog.get_logger("a").error("failed", exc_info=err)
        logging.getLogger("b").exception("failed")

    ours, theirs = lines(output)
    assert "ValueError: odd" in ours["exception"]
    assert "ValueError: odd" in theirs["exception"]


def test_what_json_cannot_hold_is_written_as_text(output: BytesIO) -> None:
    structlog.get_logger("a").info("odd", value={1: object, 2: b"\xff"})

    assert "class 'object'" in lines(output)[0]["value"]["1"]


def test_context_joins_every_line_until_it_ends(output: BytesIO) -> None:
    begin_log_context(request_id="r1")
    with log_fields(model="digits"):
        logging.getLogger("b").info("inside")
    structlog.get_logger("a").info("outside")

    inside, outside = lines(output)
    assert (inside["request_id"], inside["model"]) == ("r1", "digits")
    assert outside["request_id"] == "r1"
    assert "model" not in outside


def test_new_context_forgets_the_last_one(output: BytesIO) -> None:
    begin_log_context(request_id="r1")
    begin_log_context(job="j1")
    structlog.get_logger("a").info("now")

    assert "request_id" not in lines(output)[0]


@pytest.mark.usefixtures("output")
def test_a_reader_that_is_gone_costs_lines_only() -> None:
    """As under a server whose supervisor was killed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as pipe:
        setup_logging("info", pipe)

        structlog.get_logger("a").info("lost")
        logging.getLogger("b").info("lost")


def test_gathered_lines_are_written_together(output: BytesIO) -> None:
    gather_lines()
    try:
        structlog.get_logger("a").info("first")
        logging.getLogger("b").info("second")
        write_event({"event": "third"})
        at_once = output.getvalue()
    finally:
        stop_gathering()

    assert at_once == b""
    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == ["first", "second", "third"]


def test_lines_are_written_at_once_where_nobody_gathers(output: BytesIO) -> None:
    gather_lines()
    stop_gathering()
    structlog.get_logger("a").info("after")

    assert json.loads(output.getvalue())["event"] == "after"


@pytest.mark.usefixtures("_as_before")
def test_gathered_lines_are_whole_in_every_write() -> None:
    """Several processes write to one pipe: what is longer than it takes at once may be broken into."""
    writes: list[bytes] = []

    class Recorder(BytesIO):
        def write(self, data: Any) -> int:
            writes.append(bytes(data))
            return len(data)

    setup_logging("info", Recorder())
    gather_lines()
    try:
        for number in range(300):
            structlog.get_logger("a").info("line", number=number, padding="x" * 100)
    finally:
        stop_gathering()

    assert max(map(len, writes)) <= select.PIPE_BUF
    assert all(data.endswith(b"}\n") for data in writes)
    assert [json.loads(line)["number"] for line in b"".join(writes).splitlines()] == list(range(300))


@pytest.mark.usefixtures("_as_before")
def test_lines_lost_to_a_reader_that_hangs_are_counted() -> None:
    """What waits is bounded; who reads on afterwards is told how much is missing, and where."""
    is_hanging, may_go_on = threading.Event(), threading.Event()

    class Hanging(BytesIO):
        def write(self, data: Any) -> int:
            is_hanging.set()
            may_go_on.wait(PATIENCE_S)
            return super().write(data)

    output = Hanging()
    setup_logging("info", output)
    gather_lines()
    try:
        structlog.get_logger("a").info("first")
        assert is_hanging.wait(PATIENCE_S)
        for _ in range(MOST_GATHERED + 3):
            structlog.get_logger("a").info("next")
    finally:
        may_go_on.set()
        stop_gathering()

    told = lines(output)
    assert len(told) == 1 + MOST_GATHERED + 1
    assert (told[-1]["lost"], told[-1]["level"]) == (3, "warning")


def test_closed_output_costs_lines_and_never_the_work(output: BytesIO) -> None:
    output.close()

    structlog.get_logger("a").info("to nobody")
    logging.getLogger("b").warning("to nobody")
