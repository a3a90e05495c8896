"""nginx's access log: one JSON line per request, which names the caller's trace and no secret of its address."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.factories.nginx import Nginx
from tests.factories.raw_http import Place
from tests.factories.smuggling import request
from tests.factories.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.long

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def line_of(log: Path, request_id: str) -> dict[str, Any]:
    """Return what was logged of a request, once it was."""

    def found() -> list[str]:
        return [line for line in log.read_text().splitlines() if f'"request_id":"{request_id}"' in line]

    wait_until(found)
    [line] = found()
    told: dict[str, Any] = json.loads(line)
    return told


def test_a_line_tells_what_was_asked_and_who_answered(nginx: Nginx, caller: httpx.Client) -> None:
    headers = {"X-Request-ID": "told", "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    answer = caller.get("/health/live?token=s3cret", headers=headers)
    line = line_of(nginx.access_log, "told")

    assert (line["method"], line["path"], line["status"]) == ("GET", "/health/live", answer.status_code)
    assert line["trace_id"] == TRACE_ID
    assert line["upstream"].startswith("127.0.0.1:")
    assert line["upstream_status"] == "200"
    assert (line["address"], line["tls"], line["bytes"]) == ("127.0.0.1", "TLSv1.3", len(answer.content))
    assert 0 <= float(line["seconds"]) < PATIENCE_S
    assert 0 <= float(line["upstream_seconds"]) < PATIENCE_S


def test_neither_tokens_nor_queries_are_logged(nginx: Nginx, caller: httpx.Client, token: str) -> None:
    caller.get("/api/v1/models?token=s3cret", headers={"X-Request-ID": "discreet"})
    line_of(nginx.access_log, "discreet")
    log = nginx.access_log.read_text()

    assert "s3cret" not in log
    assert token not in log


def test_a_line_stays_a_line_whatever_is_asked(nginx: Nginx) -> None:
    strange = 'GET /a"\\%0a{"status":200} HTTP/1.1'
    Place(nginx.port, nginx.tls).converse(
        request(strange, "X-Request-ID: strange", "traceparent: 00-x", "Connection: close")
    )
    line = line_of(nginx.access_log, "strange")

    assert line["path"].startswith('/a"\\%0a')
    assert line["trace_id"] == ""


def test_logs_are_opened_anew_when_they_were_moved_away(nginx: Nginx, caller: httpx.Client) -> None:
    caller.get("/health/live", headers={"X-Request-ID": "before"})
    line_of(nginx.access_log, "before")
    moved = nginx.access_log.rename(nginx.folder / "access.log.1")
    nginx.reopen_logs()
    caller.get("/health/live", headers={"X-Request-ID": "behind"})

    assert line_of(nginx.access_log, "behind")["status"] == 200
    assert '"behind"' not in moved.read_text()
