"""What Redis keeps is told by its own count, and its growth from after the warm-up."""

import redis

from tests.factories.redis_server import RedisServer
from tests.load.soak_redis import Kept, kept, kept_table

MB = 10**6


def test_keys_and_data_are_counted(redis_server: RedisServer) -> None:
    before = kept(redis_server.url, at=0.0)
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("key", b"x" * MB)
    after = kept(redis_server.url, at=5.0)

    assert (before.keys, after.keys, after.at) == (0, 1, 5.0)
    assert after.data_bytes - before.data_bytes >= MB


def test_growth_is_that_after_the_warm_up() -> None:
    grown = [(0, 0), (300, 50), (600, 51), (900, 52), (1200, 53)]
    looks = {
        "state": [Kept(at=at, keys=at, data_bytes=size * MB) for at, size in grown],
        "cache": [Kept(at=1200, keys=7, data_bytes=MB)],
    }

    rows = kept_table(looks, seconds=1200.0).rows

    assert rows == [["state", "1200", "53.0", "+2.00"], ["cache", "7", "1.0", "+0.00"]]
