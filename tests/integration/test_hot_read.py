"""One trip that counts a lot and reads keys, over a real Redis that is there, away, hung, full or holds rubbish."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.infra.hot_read import HotRead
from app.infra.rate_limit import FallbackWindows, LotRequest
from app.infra.redis import make_redis
from app.infra.redis_rest import REST_S
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.fakes.clock import FakeClock

LOT = LotRequest("inference:checkout", 5, 60, asked_at=0.0)
TIMEOUT_S = 0.2


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(server: RedisServer, tmp_path: Path) -> Iterator[redis.Redis]:
    with make_redis(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=TIMEOUT_S)) as client:
        client.set("k", b"\x00kept\xff")
        yield client


@pytest.fixture
def hot_read(client: redis.Redis, clock: FakeClock) -> HotRead:
    return HotRead(client, FallbackWindows(client, clock.clock()))


def commands_of(client: redis.Redis) -> int:
    """Return how many commands callers have sent, those of scripts left out."""
    calls = client.info("commandstats")
    return sum(stats["calls"] for name, stats in calls.items() if name in ("cmdstat_evalsha", "cmdstat_eval"))


def test_a_lot_and_keys_are_one_call(hot_read: HotRead, client: redis.Redis) -> None:
    hot_read.run(LOT, ["k"])
    before = commands_of(client)
    window, values = hot_read.run(LOT, ["none", "k", "none"])

    assert window is not None
    assert (window.count, values) == (10, [None, b"\x00kept\xff", None])
    assert 55 < window.reset_after_s <= 60
    assert commands_of(client) == before + 1


def test_either_alone_will_do(hot_read: HotRead) -> None:
    window, values = hot_read.run(LOT, [])

    assert window is not None
    assert (window.count, values) == (5, [])
    assert hot_read.run(None, ["k", "none"]) == (None, [b"\x00kept\xff", None])


def test_as_many_keys_are_read_as_a_call_has_rows(hot_read: HotRead, client: redis.Redis) -> None:
    client.mset({f"k{number}": str(number) for number in range(0, 1024, 2)})
    _, values = hot_read.run(LOT, [f"k{number}" for number in range(1024)])

    assert values == [None if number % 2 else str(number).encode() for number in range(1024)]


def test_values_of_another_type_are_nobodys_trouble(hot_read: HotRead, client: redis.Redis) -> None:
    client.zadd("galley:limit:inference:checkout", {"x": 1.0})
    client.zadd("z", {"x": 1.0})
    window, values = hot_read.run(LOT, ["z"])

    assert window is not None
    assert (window.count, values) == (5, [None])


@pytest.mark.parametrize("harm", ["stop", "freeze"])
def test_without_redis_this_process_counts_and_nothing_is_kept(
    hot_read: HotRead, server: RedisServer, clock: FakeClock, harm: str
) -> None:
    hot_read.run(LOT, ["k"])
    getattr(server, harm)()
    began = time.monotonic()
    answers = [hot_read.run(lot, ["k"]) for lot in (LOT, None, LOT, None) * 10]
    waited_s = time.monotonic() - began
    counts = [window.count for window, _ in answers if window]
    if harm == "freeze":
        server.thaw()
    else:
        server.start()
    clock.advance(REST_S)
    window, _ = hot_read.run(LOT, ["k"])

    assert counts == [5 * turn for turn in range(1, 21)]
    assert all(values == [None] for _, values in answers)
    # One of forty waited for Redis.
    assert waited_s < 4 * TIMEOUT_S
    assert window is not None
    assert window.count in (5, 10, 15)


def test_a_full_redis_is_as_good_as_none(hot_read: HotRead, client: redis.Redis) -> None:
    hot_read.run(LOT, ["k"])
    client.config_set("maxmemory", 1)
    window, values = hot_read.run(LOT, ["k"])

    assert window is not None
    assert (window.count, values) == (5, [None])


def test_a_redis_that_forgot_the_script_learns_it_again(hot_read: HotRead, client: redis.Redis) -> None:
    hot_read.run(LOT, ["k"])
    client.script_flush()
    window, values = hot_read.run(LOT, ["k"])

    assert window is not None
    assert (window.count, values) == (10, [b"\x00kept\xff"])
