"""Request ids, deadlines, and the log line of each request."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.factories.captured_logs import captured_logs
from tests.factories.traces import SAMPLED, SPAN_ID, TRACE_ID, UNSAMPLED
from tests.factories.web import WebWorker

PATH = "/api/v1/images/classifications"


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with captured_logs() as logs:
        yield logs


def test_caller_keeps_its_id(client: FlaskClient) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": "trace-1:a/b.c=d"})

    assert response.headers["X-Request-ID"] == "trace-1:a/b.c=d"


@pytest.mark.parametrize("asked", ["", "two words", "x" * 129, "<script>", "ü"])
def test_odd_ids_are_replaced(client: FlaskClient, asked: str) -> None:
    given = client.get("/health/live", headers={"X-Request-ID": asked}).headers["X-Request-ID"]

    assert given != asked
    assert len(given) == 32


def test_problem_and_header_name_the_same_id(client: FlaskClient) -> None:
    response = client.get("/nowhere")

    assert response.json["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e3", "soon", "", "1,5"])
def test_odd_timeouts_are_refused(client: FlaskClient, text: str) -> None:
    response = client.get("/health/live", headers={"Request-Timeout": text})

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["Request-Timeout"]


def test_timeout_never_extends_the_servers(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()
    headers = worker.bearer()

    client.post(PATH, data=b"one", headers=headers)
    client.post(PATH, data=b"two", headers={**headers, "Request-Timeout": "3600"})

    servers, asked = (call.deadline for call in worker.inference.calls)
    assert asked - servers < 5.0


def test_log_line_tells_who_asked_what(worker: WebWorker, client: FlaskClient, logs: list[Any]) -> None:
    worker.publish()
    headers = worker.bearer()

    client.post(f"{PATH}?top_k=2", data=b"secret pixels", headers={**headers, "X-Request-ID": "r1"})

    (line,) = [log for log in logs if log["event"] == "request"]
    assert line.pop("ms") > 0
    assert line.pop("client").startswith("client-")
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "r1",
        "method": "POST",
        "route": PATH,
        "status": 200,
        "model": "digits",
        "version": 1,
        "queue_ms": 1.0,
        "compute_ms": 2.0,
        "cache": "miss",
    }


@pytest.mark.parametrize("traceparent", [SAMPLED, UNSAMPLED])
def test_callers_trace_is_told_and_handed_on(
    worker: WebWorker, client: FlaskClient, logs: list[Any], traceparent: str
) -> None:
    worker.publish()
    client.post(PATH, data=b"row", headers={**worker.bearer(), "X-Request-ID": "r1", "Traceparent": traceparent})

    line = next(log for log in logs if log["event"] == "request")
    assert (line["trace_id"], line["parent_span_id"]) == (TRACE_ID, SPAN_ID)
    assert line["trace_flags"] == traceparent[-2:]
    (traced,) = worker.inference.calls[0].traced
    assert traced.request_id == "r1"
    assert traced.traceparent == f"00-{TRACE_ID}-{line['span_id']}-{line['trace_flags']}"


@pytest.mark.parametrize("traceparent", ["nonsense", f"{SAMPLED}, {SAMPLED}"])
def test_wrong_trace_counts_as_none(worker: WebWorker, client: FlaskClient, logs: list[Any], traceparent: str) -> None:
    worker.publish()
    response = client.post(PATH, data=b"row", headers={**worker.bearer(), "Traceparent": traceparent})

    assert response.status_code == 200
    assert not any("trace_id" in log for log in logs)
    assert not worker.inference.calls[0].traced


def test_log_holds_neither_token_nor_payload(worker: WebWorker, client: FlaskClient, logs: list[Any]) -> None:
    worker.publish()
    headers = worker.bearer()

    client.post(PATH, data=b"secret pixels", headers=headers)

    assert "secret pixels" not in repr(logs)
    assert headers["Authorization"].partition(" ")[2] not in repr(logs)


def test_failures_are_logged_too(client: FlaskClient, logs: list[Any]) -> None:
    client.get("/no/such/route")

    assert [(log["route"], log["status"]) for log in logs if log["event"] == "request"] == [("unmatched", 404)]
