"""The second tier: what all processes keep in Redis, read in one trip and written behind the answers."""

import struct
from collections.abc import Sequence
from typing import Final

import gevent
import redis
from gevent import Greenlet

from app.inference.cache_metrics import UNWRITTEN, WITHOUT_REDIS
from app.infra.clock import Clock
from app.infra.redis import redis_errors
from app.infra.redis_rest import RedisRest

LARGEST_BYTES: Final = 64 * 1024
"""Larger values stay in the process that has them: a trip for many of them would hold Redis and the hub."""
# What comes within this time is written in one trip: a write of its own costs as much as half a cached answer.
_GATHERED_S: Final = 0.01
# So much waits for a slow Redis.
MOST_WAITING_BYTES: Final = 4 * 2**20
# How often a writer looks how full Redis is.
WEIGHED_EVERY_S: Final = 1.0
_STORED_AT: Final = struct.Struct("<Q")


class SharedCache:
    """Reads and writes keys of Redis. Greenlets of one hub may share it; it raises nothing.

    While Redis is away nothing is there and nothing is kept. After a failure it is left alone for a while. While it
    holds more than `limit_bytes`, of whatever kind, nothing is written: queued tasks must find room. 0 is no limit.
    """

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None, *, limit_bytes: int = 0) -> None:
        self._client = client
        self._clock = clock or Clock()
        self._rest = RedisRest(self._clock)
        self._limit_bytes = limit_bytes
        self._is_full = False
        self._weighed_at = float("-inf")
        self._waiting: list[tuple[str, bytes, int]] = []
        self._waiting_bytes = 0
        self._writer: Greenlet | None = None

    def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return what each of `keys` holds, None where it is nothing."""
        client = self._client
        if client is None or not keys:
            return [None] * len(keys)

        values = self._rest.ask(lambda: _read(client, keys))
        if values is None:
            WITHOUT_REDIS.labels("read").inc()
            return [None] * len(keys)

        return values

    def write(self, key: str, value: bytes, ttl_s: float) -> None:
        """Have a value written soon, for `ttl_s` seconds; returns at once."""
        ttl_ms = int(ttl_s * 1000)
        if self._client is None or ttl_ms <= 0 or len(value) > LARGEST_BYTES:
            return
        if self._waiting_bytes + len(value) > MOST_WAITING_BYTES:
            UNWRITTEN.inc()
            return

        self._waiting.append((key, value, ttl_ms))
        self._waiting_bytes += len(value)
        if self._writer is None:
            self._writer = gevent.spawn_later(_GATHERED_S, self._write_waiting)

    def close(self) -> None:
        """Write nothing any more; what waits is lost."""
        self._client = None
        if self._writer is not None:
            self._writer.kill()
        self._writer, self._waiting = None, []

    def _write_waiting(self) -> None:
        values, self._waiting, self._waiting_bytes = self._waiting, [], 0
        try:
            self._write_now(values)
        finally:
            # Whatever became of these, those that came meanwhile are to be written.
            self._writer = gevent.spawn_later(_GATHERED_S, self._write_waiting) if self._waiting else None

    def _write_now(self, values: list[tuple[str, bytes, int]]) -> None:
        client = self._client
        if client is None:
            return

        self._weigh(client)
        if self._is_full:
            UNWRITTEN.inc(len(values))
        elif not self._rest.ask(lambda: _write(client, values)):
            WITHOUT_REDIS.labels("write").inc()

    def _weigh(self, client: redis.Redis) -> None:
        now = self._clock.monotonic()
        if self._limit_bytes and now - self._weighed_at >= WEIGHED_EVERY_S:
            self._weighed_at = now
            held_bytes = self._rest.ask(lambda: _held_bytes(client))
            self._is_full = held_bytes is not None and held_bytes > self._limit_bytes


def pack_value(frame: bytes, stored_at: float) -> bytes:
    """Return what Redis keeps: when the frame was computed (seconds since the epoch, to the millisecond), and it."""
    return _STORED_AT.pack(int(stored_at * 1000)) + frame


def unpack_value(value: bytes) -> tuple[float, bytes] | None:
    """Return the time and the frame of a value; None for one that `pack_value` did not write."""
    if len(value) < _STORED_AT.size:
        return None

    (stored_at_ms,) = _STORED_AT.unpack_from(value)
    return stored_at_ms / 1000, value[_STORED_AT.size :]


def _read(client: redis.Redis, keys: Sequence[str]) -> list[bytes | None]:
    with redis_errors():
        return [value if isinstance(value, bytes) else None for value in client.mget(keys)]


def _held_bytes(client: redis.Redis) -> int:
    with redis_errors():
        return int(client.info("memory")["used_memory"])


def _write(client: redis.Redis, values: Sequence[tuple[str, bytes, int]]) -> bool:
    with redis_errors(), client.pipeline(transaction=False) as pipeline:
        for key, value, ttl_ms in values:
            pipeline.set(key, value, px=ttl_ms)
        pipeline.execute()
    return True
