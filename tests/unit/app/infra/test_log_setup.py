"""One JSON object per line, whoever logs."""

import json
import logging
import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import structlog

from app.infra.log_context import begin_log_context, log_fields
from app.infra.log_setup import setup_logging


@pytest.fixture
def output() -> Iterator[BytesIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = BytesIO()
    setup_logging("info", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(output: BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_both_ways_of_logging_give_the_same_members(output: BytesIO) -> None:
    structlog.get_logger("a").info("loaded", model="digits")
    logging.getLogger("b").info("loaded %s", "digits")

    ours, theirs = lines(output)
    assert (ours["event"], ours["model"], ours["level"]) == ("loaded", "digits", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("loaded digits", "b", "info")
    assert ours["timestamp"].endswith("Z")
    assert theirs["timestamp"].endswith("Z")


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
