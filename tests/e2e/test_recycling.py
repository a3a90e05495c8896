"""Web workers that make way for fresh ones under load: no request is lost, and sessions of streams go on."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.factories.load import Load, running_load
from tests.factories.stack import Stack, classify, running_stack
from tests.factories.stream_load import StreamLoad, session_payments
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

WORKERS = 2
REQUESTS = 60
"""Of each worker, before it makes way."""
LONGEST_S = 180.0
SESSIONS = 5
PAYMENTS = 40
RECOMMENDATIONS = "/api/v1/recommendations"


@pytest.fixture(scope="module")
def recycling(stack: Stack) -> Iterator[Stack]:
    variables = {"WEB_MAX_REQUESTS": str(REQUESTS), "WEB_WORKERS": str(WORKERS)}
    with running_stack(like=stack, variables=variables) as other:
        yield other


def workers_of(stack: Stack) -> set[int]:
    return {process.pid for process in stack.find("gunicorn: worker")}


@contextmanager
def called_both_ways(stack: Stack, *, keeps_alive: bool = True) -> Iterator[Load]:
    """Put the stack under requests that Flask answers, and such that are answered in front of it."""
    headers = {"Authorization": f"Bearer {stack.token()}"}
    limits = httpx.Limits(max_keepalive_connections=8 if keeps_alive else 0)
    picture = stack.picture.read_bytes()

    def make_client() -> httpx.Client:
        return httpx.Client(base_url=stack.url, headers=headers, timeout=30, limits=limits)

    def call(client: httpx.Client) -> httpx.Response:
        answer = client.post(RECOMMENDATIONS, json={"user_id": 1, "k": 2})
        return classify(client, picture) if answer.is_success else answer

    with running_load(make_client, call, threads=2) as load:
        yield load


def wait_replaced(stack: Stack) -> None:
    """Wait until none of the workers is left that serve now."""
    before = workers_of(stack)
    wait_until(lambda: not before & workers_of(stack), timeout_s=LONGEST_S)


def test_no_request_is_lost_while_workers_make_way(recycling: Stack) -> None:
    kept, fresh = called_both_ways(recycling), called_both_ways(recycling, keeps_alive=False)
    with kept as over_kept, fresh as over_fresh:
        wait_replaced(recycling)
        wait_replaced(recycling)

    for load in (over_kept, over_fresh):
        assert [one.error for one in load.outcomes if one.error] == []
        assert set(load.statuses()) == {200}


def test_there_are_as_many_workers_as_before_in_the_end(recycling: Stack) -> None:
    wait_until(lambda: len(workers_of(recycling)) == WORKERS)


async def streams_across(stack: Stack) -> StreamLoad:
    """Score payments over sessions whose first half is sent to workers that are gone at the second."""
    load, url, token = StreamLoad(), stack.url.replace("http", "ws", 1), stack.token()
    are_replaced = asyncio.Event()
    async with asyncio.timeout(2 * LONGEST_S), asyncio.TaskGroup() as group:
        for name in (f"recycled-{n}" for n in range(SESSIONS)):
            events = session_payments(name, accounts=2, each=PAYMENTS // 2)
            sent = load.payments(name, f"{url}/api/v1/fraud/stream", token, events, between=are_replaced)
            group.create_task(sent)
        await asyncio.to_thread(wait_replaced, stack)
        are_replaced.set()
    return load


def test_sessions_go_on_while_workers_make_way(recycling: Stack) -> None:
    with called_both_ways(recycling) as requests:
        load = asyncio.run(streams_across(recycling))

    assert load.contradictions == []
    for answers in load.answers.values():
        assert sorted(answer["seq"] for _, answer in answers) == list(range(1, PAYMENTS + 1))
    assert set(requests.statuses()) == {200}
