"""Work that is done for a request tells so in its log, and hands its id and its trace on."""

import pytest
from structlog.contextvars import get_contextvars

from app.infra.log_context import (
    begin_log_context,
    current_request_id,
    current_traceparent,
    follow_request,
    log_fields,
)
from tests.factories.traces import SAMPLED, SPAN_ID, TRACE_ID


def test_work_for_a_request_has_a_span_below_it() -> None:
    follow_request("r1", SAMPLED, job="j1")

    fields = get_contextvars()
    assert (fields["request_id"], fields["trace_id"], fields["job"]) == ("r1", TRACE_ID, "j1")
    assert fields["parent_span_id"] == SPAN_ID
    assert current_request_id() == "r1"
    assert current_traceparent() == f"00-{TRACE_ID}-{fields['span_id']}-01"


@pytest.mark.parametrize("traceparent", ["", "nonsense"])
def test_a_request_without_a_trace_has_its_id(traceparent: str) -> None:
    follow_request("r1", traceparent)

    assert get_contextvars() == {"request_id": "r1"}
    assert current_traceparent() == ""


def test_who_works_for_nobody_has_neither() -> None:
    with log_fields(job="j1"):
        assert (current_request_id(), current_traceparent()) == ("", "")


def test_the_next_work_begins_with_nothing_of_it() -> None:
    follow_request("r1", SAMPLED)
    begin_log_context(task="t")

    assert get_contextvars() == {"task": "t"}
