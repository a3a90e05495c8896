"""What is written to Redis, and that nothing of Redis reaches the caller. The rest needs a real one."""

from pathlib import Path
from typing import Any
from unittest import mock

import gevent
import pytest
import redis

from app.inference.cache_metrics import UNWRITTEN
from app.inference.cache_shared import (
    LARGEST_BYTES,
    MOST_WAITING_BYTES,
    SharedCache,
    pack_value,
    unpack_value,
)
from app.infra.redis import make_redis
from app.infra.redis_rest import REST_S
from tests.factories.settings import make_settings
from tests.fakes.clock import FakeClock


class RecordingRedis:
    """Remembers the pipelines that were executed, and reads nothing."""

    def __init__(self) -> None:
        self.written: list[list[tuple[str, bytes, int]]] = []
        self.client = mock.create_autospec(redis.Redis, instance=True)
        self.client.pipeline.return_value.__enter__.side_effect = self._begin

    def _begin(self, *_: Any) -> Any:
        batch: list[tuple[str, bytes, int]] = []
        self.written.append(batch)
        pipeline = mock.create_autospec(redis.client.Pipeline, instance=True)
        pipeline.set.side_effect = lambda key, value, px: batch.append((key, value, px))
        return pipeline


@pytest.fixture
def recording() -> RecordingRedis:
    return RecordingRedis()


@pytest.mark.parametrize("frame", [b"", b"answer", bytes(range(256))])
def test_a_value_is_its_time_and_its_frame(frame: bytes) -> None:
    value = pack_value(frame, 1_800_000_000.1234)

    assert value[:8] == (1_800_000_000_123).to_bytes(8, "little")
    assert unpack_value(value) == (1_800_000_000.123, frame)


def test_what_is_no_value_is_nothing() -> None:
    assert unpack_value(b"1234567") is None


def test_what_comes_at_once_is_written_in_one_trip(recording: RecordingRedis) -> None:
    cache = SharedCache(recording.client)
    cache.write("a", b"1", 60)
    cache.write("b", b"2", 0.5)
    assert recording.written == []

    gevent.sleep(0.05)
    assert recording.written == [[("a", b"1", 60_000), ("b", b"2", 500)]]


def test_what_comes_later_is_written_later(recording: RecordingRedis) -> None:
    cache = SharedCache(recording.client)
    for key in "ab":
        cache.write(key, b"1", 60)
        gevent.sleep(0.05)

    assert [[key for key, _, _ in batch] for batch in recording.written] == [["a"], ["b"]]


def test_large_and_short_lived_values_stay_here(recording: RecordingRedis) -> None:
    cache = SharedCache(recording.client)
    cache.write("a", bytes(LARGEST_BYTES + 1), 60)
    cache.write("b", b"1", 0.0001)
    gevent.sleep(0.05)

    assert recording.written == []


def test_what_waits_is_bounded(recording: RecordingRedis) -> None:
    cache, before = SharedCache(recording.client), UNWRITTEN._value.get()
    fitting = MOST_WAITING_BYTES // LARGEST_BYTES
    for number in range(fitting + 3):
        cache.write(str(number), bytes(LARGEST_BYTES), 60)
    gevent.sleep(0.05)

    assert [len(batch) for batch in recording.written] == [fitting]
    assert UNWRITTEN._value.get() == before + 3


def test_a_closed_cache_writes_nothing_any_more(recording: RecordingRedis) -> None:
    cache = SharedCache(recording.client)
    cache.write("a", b"1", 60)
    cache.close()
    cache.write("b", b"1", 60)
    gevent.sleep(0.05)

    assert recording.written == []


def test_without_redis_nothing_is_there() -> None:
    assert SharedCache(None).read(["a", "b"]) == [None, None]


def test_a_redis_that_is_away_is_asked_again_after_a_rest(tmp_path: Path) -> None:
    clock = FakeClock()
    with make_redis(make_settings(tmp_path, redis_url=f"unix://{tmp_path}/none.sock")) as client:
        cache = SharedCache(client, clock.clock())
        with mock.patch.object(client, "mget", wraps=client.mget) as mget:
            reads = [cache.read(["a"]) for _ in range(3)]
            clock.advance(REST_S + 1)
            reads.append(cache.read(["a"]))

    assert reads == [[None]] * 4
    assert mget.call_count == 2
