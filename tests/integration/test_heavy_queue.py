"""Calls of heavy models in a real Redis: who is let in, who is not and why, and what each side finds."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from app.errors import RedisUnavailable
from app.inference.heavy_messages import CALLS_KEY, HeavyCall, answer_key, call_key
from app.inference.heavy_queue import HeavyQueue, TakenCall
from app.inference.heavy_workers import HeavyWorkers
from app.infra.clock import Clock
from model_store.model_ref import ModelRef
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings

REF = ModelRef("giant", 1)
# A Redis that hangs was noticed after five seconds, whatever the deadline.
SOON_S = 3.0


@contextmanager
def queueing(server: RedisServer, folder: Path, **settings: Any) -> Iterator[HeavyQueue]:
    """Yield a queue of a Redis without keys, with a worker of two slots."""
    with closing(HeavyQueue(make_settings(folder, redis_url=server.url, **settings))) as queue:
        queue.workers.announce("here", 2)
        yield queue


@pytest.fixture
def queue(redis_server: RedisServer, tmp_path: Path) -> Iterator[HeavyQueue]:
    with queueing(redis_server, tmp_path, heavy_queue=2, heavy_memory=100) as queue:
        yield queue


def make_call(client: str = "ann", *, limit_s: float = 10.0) -> HeavyCall:
    return HeavyCall(name="giant", version=1, digest="d", limit_s=limit_s, client_id=client, request_id="r")


def enter(queue: HeavyQueue, call: HeavyCall, row: bytes = b"row") -> str:
    """Enter and lay the row ready; return the ticket."""
    entrance = queue.enter(call, [row])
    assert entrance.verdict == "in"
    queue.put(entrance.ticket, call, [row])
    return entrance.ticket


def take(queue: HeavyQueue, ticket: str) -> TakenCall:
    taken = queue.take(ticket)
    assert taken is not None
    return taken


def test_call_is_taken_once_and_its_answer_comes_whole(queue: HeavyQueue, redis_server: RedisServer) -> None:
    call = make_call()
    ticket = enter(queue, call, b"the row")

    taken = take(queue, ticket)
    assert queue.take(ticket) is None
    assert (taken.call, taken.rows) == (call, [b"the row"])
    assert 9.0 < taken.left_s <= 10.0
    assert queue.wait(ticket, 0.01) is None

    assert queue.answer(ticket, [b"header", b"one", b""])
    assert queue.wait(ticket, 5.0) == [b"header", b"one", b""]

    queue.leave(ticket)
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.exists(CALLS_KEY, call_key(ticket), answer_key(ticket)) == 0


def test_nobody_works_for_a_caller_that_left(queue: HeavyQueue) -> None:
    waiting, running = enter(queue, make_call()), enter(queue, make_call("bob"))
    assert take(queue, running)

    queue.leave(waiting)
    queue.leave(running)

    assert queue.take(waiting) is None
    assert not queue.answer(running, [b"header"])


def test_call_past_its_deadline_is_gone_whatever_clocks_say(queue: HeavyQueue) -> None:
    ticket = enter(queue, make_call(limit_s=0.001))
    assert queue.wait(ticket, 0.05) is None

    assert queue.take(ticket) is None


def test_places_go_to_those_who_have_few_once_they_are_short(queue: HeavyQueue) -> None:
    for _ in range(2):
        enter(queue, make_call("ann"))
    again, other = queue.enter(make_call("ann"), [b"row"]), queue.enter(make_call("bob"), [b"row"])

    assert (again.verdict, again.calls, again.held, again.clients) == ("full", 2, 2, 1)
    assert (other.verdict, other.held, other.clients) == ("in", 0, 2)
    queue.leave(other.ticket)


def test_bytes_are_bounded_but_one_call_may_be_large(queue: HeavyQueue) -> None:
    ticket = enter(queue, make_call(), b"x" * 200)

    assert queue.enter(make_call("bob"), [b"y"]).verdict == "full"
    queue.leave(ticket)
    assert queue.enter(make_call("bob"), [b"y"]).verdict == "in"


def test_bytes_are_dealt_as_places_are(queue: HeavyQueue) -> None:
    enter(queue, make_call("ann"), b"x" * 60)
    again, other = (queue.enter(make_call(client), [b"y" * 60]) for client in ("ann", "bob"))

    assert (again.verdict, other.verdict) == ("full", "in")


def test_refusal_is_an_answer(queue: HeavyQueue) -> None:
    ticket = enter(queue, make_call())

    assert queue.refuse(ticket, b"why")
    assert queue.wait(ticket, 5.0) == [b"why"]
    queue.leave(ticket)
    assert not queue.refuse(ticket, b"why")


def test_call_that_would_wait_too_long_is_refused_at_once(queue: HeavyQueue) -> None:
    queue.note_cost(REF, 8.0)
    enter(queue, make_call("ann"))

    short, long = (queue.enter(make_call("bob", limit_s=limit_s), [b"row"]) for limit_s in (3.0, 5.0))

    assert (short.verdict, short.wait_s) == ("late", 4.0)
    assert (long.verdict, long.wait_s) == ("in", 4.0)


def test_cost_follows_the_newest_calls(queue: HeavyQueue, redis_server: RedisServer) -> None:
    for took_s in (10.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        queue.note_cost(REF, took_s)
    enter(queue, make_call())

    assert 0.5 <= queue.enter(make_call("bob"), [b"row"]).wait_s < 1.0


def test_without_a_worker_nobody_is_let_in(queue: HeavyQueue) -> None:
    queue.workers.retire("here", 2)

    assert queue.enter(make_call(), [b"row"]).verdict == "nobody"


def test_slots_of_all_workers_are_told_as_last_known(tmp_path: Path) -> None:
    with running_redis() as server, queueing(server, tmp_path) as queue, redis.Redis.from_url(server.url) as client:
        moment = 0.0
        workers = HeavyWorkers(client, Clock(monotonic=lambda: moment))
        queue.workers.announce("there", 3)
        assert workers.slots() == 5

        queue.workers.retire("there", 3)
        assert workers.slots() == 5
        moment += 2.0
        assert workers.slots() == 2

        server.stop()
        moment += 2.0
        assert workers.slots() == 2


def test_redis_that_is_away_is_told(tmp_path: Path) -> None:
    with running_redis() as server, queueing(server, tmp_path) as queue:
        ticket = enter(queue, make_call())
        server.stop()

        with pytest.raises(RedisUnavailable):
            queue.enter(make_call(), [b"row"])
        with pytest.raises(RedisUnavailable):
            queue.wait(ticket, 1.0)


@pytest.mark.parametrize(
    "step",
    [
        lambda queue, ticket: queue.wait(ticket, 0.3),
        lambda queue, ticket: queue.put(ticket, make_call(limit_s=0.3), [b"row"]),
        lambda queue, ticket: queue.refuse(ticket, b"why"),
    ],
    ids=["wait", "put", "refuse"],
)
def test_redis_that_hangs_holds_nobody_long_past_the_deadline(
    tmp_path: Path, step: Callable[[HeavyQueue, str], object]
) -> None:
    with running_redis() as server, queueing(server, tmp_path, redis_timeout_s=0.2) as queue:
        ticket = enter(queue, make_call())
        assert queue.wait(ticket, 0.01) is None
        server.freeze()

        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            step(queue, ticket)
        assert time.monotonic() - started < SOON_S

        server.thaw()
        assert queue.wait(ticket, 0.01) is None
        assert queue.answer(ticket, [b"header"])
        assert queue.wait(ticket, 5.0) == [b"header"]
