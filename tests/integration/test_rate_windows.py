"""Windows count alike in Redis and in a process, and processes share those in Redis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.clock import Clock
from app.infra.rate_limit import MemoryWindows, RateLimit, RateLimiter, RedisWindows, Windows
from app.infra.redis import make_redis
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until

THREE_A_MINUTE = RateLimit(3, 60)
TWO_A_SECOND = RateLimit(2, 1)


@pytest.fixture(params=["redis", "memory"])
def windows(request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path) -> Iterator[Windows]:
    if request.param == "memory":
        yield MemoryWindows(Clock())
        return

    with make_redis(make_settings(tmp_path, redis_url=redis_server.url)) as client:
        yield RedisWindows(client)


def test_hits_add_up(windows: Windows) -> None:
    counts = [windows.add("a", 1, THREE_A_MINUTE).count for _ in range(4)]

    assert counts == [1, 2, 3, 4]
    assert windows.add("b", 1, THREE_A_MINUTE).count == 1


def test_looking_counts_nothing_and_begins_nothing(windows: Windows) -> None:
    before = windows.add("a", 0, THREE_A_MINUTE)
    windows.add("a", 2, THREE_A_MINUTE)
    after = windows.add("a", 0, THREE_A_MINUTE)

    assert (before.count, before.reset_after_s) == (0, 0)
    assert after.count == 2
    assert 55 < after.reset_after_s <= 60


def test_later_hits_do_not_prolong_a_window(windows: Windows) -> None:
    first = windows.add("a", 1, TWO_A_SECOND)
    wait_until(lambda: windows.add("a", 1, TWO_A_SECOND).reset_after_s < first.reset_after_s - 0.1, timeout_s=1)

    wait_until(lambda: windows.add("a", 0, TWO_A_SECOND).count == 0, timeout_s=2)
    assert windows.add("a", 1, TWO_A_SECOND).count == 1


def test_processes_share_a_limit_and_a_crowd_gets_exactly_it(redis_server: RedisServer, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, redis_url=redis_server.url)
    clients = [make_redis(settings) for _ in range(2)]
    limiters = [RateLimiter(client) for client in clients]

    passed = [not limiters[turn % 2].hit("a", THREE_A_MINUTE).is_exceeded for turn in range(10)]
    for client in clients:
        client.close()

    assert passed == [True] * 3 + [False] * 7


def test_a_frozen_redis_costs_one_timeout_not_each_request_one(tmp_path: Path) -> None:
    with running_redis() as server:
        client = make_redis(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2))
        limiter = RateLimiter(client)
        limiter.hit("a", THREE_A_MINUTE)
        server.freeze()

        began = time.monotonic()
        usages = [limiter.hit("a", THREE_A_MINUTE) for _ in range(100)]
        elapsed_s = time.monotonic() - began
        server.thaw()
        client.close()

    assert elapsed_s < 2.0
    assert usages[-1].is_exceeded
