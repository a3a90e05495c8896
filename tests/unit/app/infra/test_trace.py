"""`traceparent` is read as W3C Trace Context says, and handed on with a span of ours."""

import pytest

from app.infra.trace import Trace, traceparent_of
from tests.factories.traces import SAMPLED, SPAN_ID, TRACE_ID


def read(header: str) -> Trace:
    trace = Trace.read(header)
    assert trace is not None
    return trace


def test_a_trace_goes_on_below_the_callers_span() -> None:
    trace = read(SAMPLED)

    assert (trace.trace_id, trace.parent_span_id, trace.is_sampled) == (TRACE_ID, SPAN_ID, True)
    assert trace.span_id != SPAN_ID
    assert trace.traceparent == f"00-{TRACE_ID}-{trace.span_id}-01"
    assert read(trace.traceparent).parent_span_id == trace.span_id


def test_each_reader_has_a_span_of_its_own() -> None:
    assert read(SAMPLED).span_id != read(SAMPLED).span_id


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_only_the_flag_that_is_known_is_passed_on(flags: str, is_sampled: bool) -> None:
    trace = read(f"00-{TRACE_ID}-{SPAN_ID}-{flags}")

    assert trace.is_sampled is is_sampled
    assert trace.traceparent.endswith("-01" if is_sampled else "-00")


@pytest.mark.parametrize("more", ["", "-", "-what-comes-with-it"])
def test_later_versions_are_read_as_far_as_they_are_known(more: str) -> None:
    assert read(f"cc-{TRACE_ID}-{SPAN_ID}-01{more}").traceparent.startswith(f"00-{TRACE_ID}-")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        SAMPLED.upper(),
        f" {SAMPLED}",
        f"{SAMPLED}\n",
        f"{SAMPLED}-more",
        f"{SAMPLED}, {SAMPLED}",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01more",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[1:]}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}0-01",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"00-{TRACE_ID}-{SPAN_ID}-0x",
        f"00-{TRACE_ID[:-1]}٣-{SPAN_ID}-01",
    ],
)
def test_what_is_no_traceparent_begins_nothing(header: str) -> None:
    assert Trace.read(header) is None


def test_log_fields_are_enough_to_go_on() -> None:
    trace = read(SAMPLED)

    assert trace.log_fields() == {
        "trace_id": TRACE_ID,
        "span_id": trace.span_id,
        "parent_span_id": SPAN_ID,
        "trace_flags": "01",
    }
    assert traceparent_of({"request_id": "r1", **trace.log_fields()}) == trace.traceparent
    assert traceparent_of({"request_id": "r1"}) == ""
