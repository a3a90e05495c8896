"""Which Celery workers serve heavy models: they say so every few seconds, and callers believe it for a while."""

from typing import Final, cast

import redis

from app.inference.heavy_messages import WORKERS_KEY
from app.infra.clock import Clock
from app.infra.redis import redis_errors
from app.infra.redis_rest import RedisRest

EVERY_S: Final = 5.0
"""How often a worker says that it is there."""
# It may be late by a garbage collection or a slow Redis; whoever is killed is missed after this.
BELIEVED_S: Final = 3 * EVERY_S
# Readers that ask often are not to cost a trip each.
_REMEMBERED_S: Final = 1.0


class HeavyWorkers:
    """The workers that are there. Threads and greenlets may share it. What is written raises `RedisUnavailable`."""

    def __init__(self, client: redis.Redis, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()
        self._rest = RedisRest(self._clock)
        self._slots = 0
        self._read_at = float("-inf")

    def announce(self, name: str, slots: int) -> None:
        """Have a worker count as there, with so many processes that answer."""
        with redis_errors():
            gone_at = self._now() + BELIEVED_S
            self._client.zadd(WORKERS_KEY, {f"{name}:{slots}": gone_at * 1000})

    def retire(self, name: str, slots: int) -> None:
        """Have a worker count as gone."""
        with redis_errors():
            self._client.zrem(WORKERS_KEY, f"{name}:{slots}")

    def slots(self) -> int:
        """Return how many processes answer; as last known while Redis is away."""
        now = self._clock.monotonic()
        if now - self._read_at >= _REMEMBERED_S:
            self._read_at = now
            read = self._rest.ask(self._read)
            self._slots = self._slots if read is None else read
        return self._slots

    def _read(self) -> int:
        with redis_errors():
            known = cast(list[bytes], self._client.zrange(WORKERS_KEY, self._now() * 1000, "+inf", byscore=True))
        return sum(int(worker.rpartition(b":")[2]) for worker in known)

    def _now(self) -> float:
        seconds, microseconds = self._client.time()
        return seconds + microseconds / 1_000_000
