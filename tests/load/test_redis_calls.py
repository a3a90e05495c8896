"""Redis' counters say what was asked between two looks, and not that somebody looked."""

import redis

from tests.factories.redis_server import RedisServer
from tests.load.redis_calls import redis_calls, used_bytes


def test_calls_and_round_trips_between_two_looks(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.get("a")
        before = redis_calls(redis_server.url)
        client.get("a")
        with client.pipeline(transaction=False) as pipeline:
            pipeline.set("b", 1).set("c", 2).execute()
        grown = redis_calls(redis_server.url).since(before)

    assert grown.calls == {"get": 1, "set": 2}
    assert set(grown.microseconds) <= {"get", "set"}
    # Two by the client; those who looked connected and asked as well.
    assert 2 <= grown.reads <= 8


def test_data_takes_bytes(redis_server: RedisServer) -> None:
    before = used_bytes(redis_server.url)
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("large", bytes(10**6))

    assert 10**6 <= used_bytes(redis_server.url) - before < 2 * 10**6
