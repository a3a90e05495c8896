"""A runner tells of the calls that are traced, and of no others."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from app.errors import QueueFull
from app.inference.messages import InferReply, InferRequest, RowFailure, RunnerState, RunnerStatus, Traced, encode
from model_store.model_ref import ModelRef
from tests.factories.traces import SAMPLED, SPAN_ID, TRACE_ID, UNSAMPLED
from workers.runner import call_log
from workers.runner.batcher import refusal
from workers.runner.call_log import MOST_OPEN, CallLog

ME = b"caller"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that is told, at every level: an earlier test may have set up logs of `info` and above."""
    capture = structlog.testing.LogCapture()
    of_all_levels = structlog.make_filtering_bound_logger(logging.DEBUG)
    logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=of_all_levels)
    monkeypatch.setattr(call_log, "logger", logger)
    return capture.entries


@pytest.fixture
def calls() -> CallLog:
    return CallLog(ModelRef("digits", 2))


def begin(calls: CallLog, call_id: int, traced: Sequence[Traced], *, rows: int = 1) -> None:
    calls.begin(ME, InferRequest(call_id=call_id, deadline=0.0, traced=list(traced)), rows)


def reply(call_id: int, **members: Any) -> bytes:
    return encode(InferReply(call_id=call_id, **members))


def traced(request_id: str, traceparent: str = SAMPLED) -> Traced:
    return Traced(request_id=request_id, traceparent=traceparent)


def test_a_sampled_call_leaves_a_line(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 7, [traced("r1")], rows=3)
    failures = [RowFailure(row=1, code="bad", detail="Bad.")]
    calls.end(ME, reply(7, failures=failures, queue_s=0.0012, compute_s=0.0345))

    (line,) = logs
    assert len(line.pop("span_id")) == 16
    assert line.pop("ms") >= 0.0
    assert line == {
        "event": "call",
        "log_level": "info",
        "request_id": "r1",
        "trace_id": TRACE_ID,
        "parent_span_id": SPAN_ID,
        "trace_flags": "01",
        "model": "digits",
        "version": 2,
        "rows": 3,
        "failed": 1,
        "queue_ms": 1.2,
        "compute_ms": 34.5,
    }


def test_a_call_that_was_not_sampled_is_for_who_debugs(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 1, [traced("r1", UNSAMPLED)])
    calls.end(ME, reply(1))

    assert [(line["log_level"], line["trace_id"]) for line in logs] == [("debug", TRACE_ID)]


def test_a_refusal_is_told_with_its_code(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 1, [traced("r1")])
    calls.end(ME, refusal(1, QueueFull("Full."))[0])

    assert [(line["request_id"], line["code"]) for line in logs] == [("r1", "queue_full")]


def test_each_request_of_a_call_has_its_line(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 1, [traced("socket-1"), traced("socket-2")])
    calls.end(ME, reply(1))

    assert [line["request_id"] for line in logs] == ["socket-1", "socket-2"]


def test_answers_find_their_own_call(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 1, [traced("r1")])
    begin(calls, 2, [])
    calls.begin(b"another", InferRequest(call_id=1, deadline=0.0, traced=[traced("theirs")]), 1)

    status = RunnerStatus(call_id=3, name="digits", version=2, digest="d", state=RunnerState.READY, pid=1)
    for answer in (reply(2), encode(status), reply(1), reply(1)):
        calls.end(ME, answer)
    assert [line["request_id"] for line in logs] == ["r1"]


def test_without_traces_no_answer_is_even_read(calls: CallLog, logs: list[Any]) -> None:
    begin(calls, 1, [])
    calls.end(ME, b"no message at all")

    assert logs == []


def test_calls_that_are_never_answered_do_not_pile_up(calls: CallLog, logs: list[Any]) -> None:
    for call_id in range(MOST_OPEN + 1):
        begin(calls, call_id, [traced(str(call_id))])
    for call_id in (0, MOST_OPEN):
        calls.end(ME, reply(call_id))

    assert [line["request_id"] for line in logs] == [str(MOST_OPEN)]
