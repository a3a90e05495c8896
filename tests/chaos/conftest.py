"""Callers without a server: what they are answered is written in the test."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.chaos.caller import Caller
from tests.chaos.journal import Journal

Handler = Callable[[httpx.Request], httpx.Response]
MakeCaller = Callable[[Handler], Caller]


def answered(request: httpx.Request, *, status: int = 200, **response: Any) -> httpx.Response:
    """Answer a request in form."""
    headers = {"X-Request-ID": request.headers["X-Request-ID"], **response.pop("headers", {})}
    if status >= 400 and "json" in response:
        response["json"] = {"request_id": headers["X-Request-ID"], **response["json"]}
    return httpx.Response(status, headers=headers, **response)


@pytest.fixture
def make_caller() -> MakeCaller:
    """Make a caller whose requests a function answers."""

    def make(handler: Handler) -> Caller:
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="https://galley")
        return Caller(name="me", token="token", http=http, journal=Journal(), over=asyncio.Event())

    return make


def rules(caller: Caller) -> list[str]:
    """Name the invariants that were found broken."""
    return [violation.rule for violation in caller.journal.violations]
