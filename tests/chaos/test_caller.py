"""A caller asks again where that helps, and tells of each answer that is not in form."""

import asyncio

import httpx
import pytest

from tests.chaos.caller import Refused
from tests.chaos.conftest import MakeCaller, answered, rules


def test_it_asks_until_it_is_answered(make_caller: MakeCaller) -> None:
    asked = list[str]()

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["X-Request-ID"])
        if len(asked) == 1:
            raise httpx.ConnectError("refused")
        if len(asked) == 2:
            return answered(request, status=503, json={"code": "runner_lost"}, headers={"Retry-After": "0"})
        return answered(request)

    caller = make_caller(handler)
    answer = asyncio.run(caller.ask("image", "GET", "/"))

    assert answer.is_success
    assert len(set(asked)) == 3
    assert [failure.symptom for failure in caller.journal.failures] == ["connection", "runner_lost"]
    assert rules(caller) == []


def test_the_answer_to_another_request_is_told(make_caller: MakeCaller) -> None:
    caller = make_caller(lambda request: httpx.Response(200, headers={"X-Request-ID": "somebody-1"}))
    asyncio.run(caller.ask("image", "GET", "/"))

    assert rules(caller) == ["in form"]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500])
def test_what_nothing_excuses_is_not_asked_again(make_caller: MakeCaller, status: int) -> None:
    caller = make_caller(lambda request: answered(request, status=status, json={"code": "any"}))
    with pytest.raises(Refused, match=f"{status}"):
        asyncio.run(caller.ask("image", "GET", "/"))

    [failure] = caller.journal.failures
    assert failure.symptom == f"status {status} any"
