"""Redis with timeouts, wrapped errors, and a subscription that survives outages."""

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from app.errors import RedisUnavailable
from app.infra.redis import Subscriber, make_redis, redis_errors, redis_refusals
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until

# Many times the timeout, on a machine that has more to do; without one it were for ever.
AT_ONCE_S = 3.0


@pytest.fixture
def client(server: RedisServer, tmp_path: Path) -> Iterator[redis.Redis]:
    with make_redis(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2)) as client:
        yield client


@pytest.fixture
def subscribe(client: redis.Redis) -> Iterator[Callable[..., Subscriber]]:
    subscribers = []

    def start(channels: dict[str, Callable[[bytes], None]], **options: Callable[[], None]) -> Subscriber:
        subscriber = Subscriber(client, channels, **options)
        subscribers.append(subscriber)
        subscriber.start()
        wait_until(lambda: subscriber.is_connected)
        return subscriber

    yield start
    for subscriber in subscribers:
        subscriber.stop()


def test_call_to_a_frozen_redis_ends_within_its_timeout(server: RedisServer, client: redis.Redis) -> None:
    client.ping()
    server.freeze()
    started = time.monotonic()

    with pytest.raises(RedisUnavailable), redis_errors():
        client.ping()

    assert time.monotonic() - started < AT_ONCE_S


def test_as_many_ask_at_once_as_a_worker_serves(client: redis.Redis) -> None:
    pool = client.connection_pool
    held = [pool.get_connection() for _ in range(300)]
    with redis_errors():
        assert client.ping()

    for connection in held:
        pool.release(connection)


def test_redis_that_cannot_save_counts_as_away(client: redis.Redis) -> None:
    folder = Path(str(client.config_get("dir")["dir"]))
    client.config_set("save", "3600 1")
    (folder / "dump.rdb").unlink(missing_ok=True)
    (folder / "dump.rdb").mkdir()
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")

    with pytest.raises(RedisUnavailable, match="disk"), redis_errors():
        client.set("key", "value")


def test_mistakes_are_not_outages(client: redis.Redis) -> None:
    client.set("key", "value")

    with pytest.raises(redis.ResponseError), redis_errors():
        client.incr("key")


def test_who_has_callers_waits_for_a_redis_that_refuses(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    client.config_set("min-replicas-to-write", "1")

    with pytest.raises(RedisUnavailable, match="refused"), redis_refusals():
        client.set("key", "value")
    assert "NOREPLICAS" in caplog.text


def test_pooled_connection_survives_a_restart(server: RedisServer, client: redis.Redis) -> None:
    client.ping()
    server.stop()
    with pytest.raises(RedisUnavailable), redis_errors():
        client.ping()
    server.start()

    assert client.ping()


def test_mistakes_are_not_called_outages(client: redis.Redis) -> None:
    client.set("text", "a")

    with pytest.raises(redis.ResponseError), redis_errors():
        client.zadd("text", {"a": 1})


def test_messages_reach_the_callback_of_their_channel(
    client: redis.Redis, subscribe: Callable[..., Subscriber]
) -> None:
    left: queue.Queue[bytes] = queue.Queue()
    right: queue.Queue[bytes] = queue.Queue()
    subscribe({"left": left.put, "right": right.put})

    client.publish("right", b"to the right")
    client.publish("left", b"to the left")

    assert (left.get(timeout=5), right.get(timeout=5)) == (b"to the left", b"to the right")
    assert left.empty()
    assert right.empty()


@pytest.mark.parametrize("outage", ["stop", "freeze"])
def test_subscription_comes_back_after(
    outage: str, server: RedisServer, client: redis.Redis, subscribe: Callable[..., Subscriber]
) -> None:
    heard: queue.Queue[bytes] = queue.Queue()
    connections: list[float] = []
    subscriber = subscribe({"news": heard.put}, on_connect=lambda: connections.append(time.monotonic()))

    {"stop": server.stop, "freeze": server.freeze}[outage]()
    wait_until(lambda: not subscriber.is_connected)
    {"stop": server.start, "freeze": server.thaw}[outage]()
    wait_until(lambda: subscriber.is_connected and len(connections) == 2)
    client.publish("news", b"back")

    assert heard.get(timeout=5) == b"back"


def test_stop_ends_the_thread_while_redis_is_away(server: RedisServer, subscribe: Callable[..., Subscriber]) -> None:
    subscriber = subscribe({"news": lambda _: None})
    server.stop()
    wait_until(lambda: not subscriber.is_connected)

    started = time.monotonic()
    subscriber.stop()

    assert time.monotonic() - started < AT_ONCE_S
