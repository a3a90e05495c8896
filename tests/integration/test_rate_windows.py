"""Windows count alike in Redis and in a process, and processes share those in Redis."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.infra.clock import Clock
from app.infra.rate_limit import FallbackWindows, MemoryWindows, RedisWindows, Windows
from app.infra.redis import make_redis
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until


@pytest.fixture(params=["redis", "memory"])
def windows(request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path) -> Iterator[Windows]:
    if request.param == "memory":
        yield MemoryWindows(Clock())
        return

    with make_redis(make_settings(tmp_path, redis_url=redis_server.url)) as client:
        yield RedisWindows(client)


def test_hits_add_up(windows: Windows) -> None:
    counts = [windows.add("a", 1, 60).count for _ in range(4)]

    assert counts == [1, 2, 3, 4]
    assert windows.add("b", 1, 60).count == 1


def test_looking_counts_nothing_and_begins_nothing(windows: Windows) -> None:
    before = windows.add("a", 0, 60)
    windows.add("a", 2, 60)
    after = windows.add("a", 0, 60)

    assert (before.count, before.reset_after_s) == (0, 0)
    assert after.count == 2
    assert 55 < after.reset_after_s <= 60


def test_later_hits_do_not_prolong_a_window(windows: Windows) -> None:
    first = windows.add("a", 1, 1)
    wait_until(lambda: windows.add("a", 1, 1).reset_after_s < first.reset_after_s - 0.1)

    wait_until(lambda: windows.add("a", 0, 1).count == 0)
    assert windows.add("a", 1, 1).count == 1


def test_processes_share_windows(redis_server: RedisServer, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, redis_url=redis_server.url)
    clients = [make_redis(settings) for _ in range(2)]
    workers = [FallbackWindows(client) for client in clients]

    counts = [workers[turn % 2].add("a", 1, 60).count for turn in range(10)]
    for client in clients:
        client.close()

    assert counts == list(range(1, 11))


def test_a_frozen_redis_costs_one_timeout_not_each_request_one(tmp_path: Path) -> None:
    with running_redis() as server:
        client = make_redis(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2))
        windows = FallbackWindows(client)
        windows.add("a", 1, 60)
        server.freeze()

        began = time.monotonic()
        counts = [windows.add("a", 1, 60).count for _ in range(100)]
        elapsed_s = time.monotonic() - began
        server.thaw()
        client.close()

    # One each would be twenty.
    assert elapsed_s < 10.0
    assert counts[-1] == 100


@pytest.mark.parametrize("hits", [0, 1])
def test_a_value_of_another_type_makes_way(redis_server: RedisServer, tmp_path: Path, hits: int) -> None:
    with make_redis(make_settings(tmp_path, redis_url=redis_server.url)) as client:
        client.zadd("galley:limit:a", {"x": 1.0})
        client.set("galley:limit:b", "no number")
        windows = FallbackWindows(client)

        assert [windows.add(key, hits, 60).count for key in "ab"] == [hits, hits]
        assert windows.add("a", 1, 60).count == hits + 1
        assert client.get("galley:limit:a") == str(hits + 1).encode()
