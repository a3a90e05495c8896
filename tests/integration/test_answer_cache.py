"""Kept answers with a real Redis: shared between processes, and missed by nobody while it is away."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import gevent
import pytest
import redis

from app.inference.answer_cache import AnswerCache
from app.inference.cache import CacheOutcome
from app.inference.cache_keys import CacheKeys, shared_key
from app.inference.cache_local import LocalCache
from app.inference.cache_metrics import UNWRITTEN
from app.inference.cache_shared import LARGEST_BYTES, SharedCache, pack_value, unpack_value
from app.inference.cache_tiers import CacheTiers
from app.infra.clock import Clock
from app.infra.redis import make_redis
from app.infra.redis_rest import REST_S
from tests.factories.cached_calls import AskedModel, make_call
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until
from tests.fakes.clock import FakeClock

wait = partial(wait_until, sleep=gevent.sleep)


class Worker:
    """What one web worker keeps, and the model that it asks."""

    def __init__(self, client: redis.Redis, clock: Clock, limit_bytes: int = 0) -> None:
        self.shared = SharedCache(client, clock, limit_bytes=limit_bytes)
        self.cache = AnswerCache(CacheTiers(LocalCache(2**20), self.shared, clock))
        self.model = AskedModel()
        self._clock = clock

    def ask(self, *rows: bytes, ttl_s: float = 60.0) -> CacheOutcome:
        """Answer a call; say what the cache had."""
        call = make_call(*rows, ttl_s=ttl_s, deadline=self._clock.monotonic() + 5.0)
        return self.cache.answer(call, self.model).outcome


class Workers:
    """Web workers that share a Redis and a clock."""

    def __init__(self, folder: Path, server: RedisServer, ends: ExitStack) -> None:
        self.clock = FakeClock()
        self._settings = make_settings(folder, redis_url=server.url, redis_timeout_s=0.2)
        self._ends = ends

    def start(self, *, limit_bytes: int = 0) -> Worker:
        """Start another one, which remembers nothing."""
        worker = Worker(self._ends.enter_context(make_redis(self._settings)), self.clock.clock(), limit_bytes)
        self._ends.callback(worker.cache.close)
        return worker


@pytest.fixture
def workers(redis_server: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as ends:
        yield Workers(tmp_path, redis_server, ends)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that the test may stop and freeze."""
    with running_redis() as server:
        yield server


@pytest.fixture
def own_workers(own_redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as ends:
        yield Workers(tmp_path, own_redis, ends)


def key_of(row: bytes) -> str:
    (key,) = CacheKeys().of(make_call(row))
    return shared_key(key)


def is_written(server: RedisServer, *rows: bytes) -> bool:
    with redis.Redis.from_url(server.url) as client:
        return client.exists(*map(key_of, rows)) == len(rows)


def test_what_one_process_computed_the_others_answer(redis_server: RedisServer, workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    first.ask(b"a", b"b")
    wait(lambda: is_written(redis_server, b"a", b"b"))
    workers.clock.advance(5)
    call = make_call(b"b", b"a", deadline=60.0)
    answer = second.cache.answer(call, second.model)

    assert answer.rows == [b"b by call 1", b"a by call 1"]
    assert (answer.outcome, answer.age_s) == (CacheOutcome.HIT, pytest.approx(5.0, abs=0.01))
    assert second.model.calls == []


def test_redis_forgets_in_time(redis_server: RedisServer, workers: Workers) -> None:
    workers.start().ask(b"a", ttl_s=30.0)
    wait(lambda: is_written(redis_server, b"a"))

    with redis.Redis.from_url(redis_server.url) as client:
        assert 29_000 < client.pttl(key_of(b"a")) <= 30_000
        stored = unpack_value(client.get(key_of(b"a")))
    assert stored == (workers.clock.clock().now(), b"a by call 1")


def test_only_rows_that_nobody_has_are_asked_for(redis_server: RedisServer, workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    first.ask(b"a", b"c")
    wait(lambda: is_written(redis_server, b"a", b"c"))

    assert second.ask(b"a", b"b", b"c", b"b") is CacheOutcome.MISS
    assert second.model.calls == [[b"b"]]


def test_values_that_are_not_ours_are_no_answers(redis_server: RedisServer, workers: Workers) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(key_of(b"a"), b"short")
        client.hset(key_of(b"b"), "a", "hash")
        client.set(key_of(b"c"), pack_value(b"good", workers.clock.clock().now()))
    worker = workers.start()

    assert worker.ask(b"a", b"b", b"c") is CacheOutcome.MISS
    assert worker.model.calls == [[b"a", b"b"]]


def test_large_answers_stay_with_who_has_them(redis_server: RedisServer, workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    large = bytes(LARGEST_BYTES)
    first.ask(large)
    first.ask(b"small")
    wait(lambda: is_written(redis_server, b"small"))

    assert [first.ask(large), second.ask(large)] == [CacheOutcome.HIT, CacheOutcome.MISS]


def test_a_full_redis_is_read_and_not_written(redis_server: RedisServer, workers: Workers) -> None:
    """It holds queued tasks, too, and must have room for them."""
    full, roomy = workers.start(limit_bytes=1), workers.start(limit_bytes=2**40)
    before = UNWRITTEN._value.get()
    full.ask(b"a")
    roomy.ask(b"b")
    wait(lambda: is_written(redis_server, b"b") and UNWRITTEN._value.get() == before + 1)

    assert not is_written(redis_server, b"a")
    assert full.ask(b"b") is CacheOutcome.HIT


def test_a_redis_that_stops_and_starts_costs_kept_answers_only(own_redis: RedisServer, own_workers: Workers) -> None:
    first, second = own_workers.start(), own_workers.start()
    first.ask(b"a")
    wait(lambda: is_written(own_redis, b"a"))
    own_redis.stop()

    assert [first.ask(b"a"), first.ask(b"b"), second.ask(b"a")] == [CacheOutcome.HIT] + [CacheOutcome.MISS] * 2
    own_redis.start()
    own_workers.clock.advance(REST_S + 1)
    second.ask(b"c")
    wait(lambda: is_written(own_redis, b"c"))
    assert first.ask(b"c") is CacheOutcome.HIT


def test_a_hung_redis_costs_one_timeout(own_redis: RedisServer, own_workers: Workers) -> None:
    worker = own_workers.start()
    worker.ask(b"a")
    wait(lambda: is_written(own_redis, b"a"))
    own_redis.freeze()
    began = time.monotonic()
    outcomes = [worker.ask(b"row %d" % number) for number in range(50)]
    elapsed_s = time.monotonic() - began
    own_redis.thaw()

    assert set(outcomes) == {CacheOutcome.MISS}
    # One each would be ten.
    assert elapsed_s < 5.0
    assert worker.ask(b"row 7") is CacheOutcome.HIT
