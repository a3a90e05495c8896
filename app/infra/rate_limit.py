"""Rate limits that all processes share through Redis, and that each counts for itself while Redis is away."""

import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol, Self

import redis
from cachetools import TLRUCache
from redis.exceptions import RedisError

from app.errors import RedisUnavailable
from app.infra.clock import Clock
from app.infra.redis import redis_errors

logger = logging.getLogger(__name__)

# After a failure Redis is left alone for a while: a hung one costs each call its whole timeout.
REST_S: Final = 5.0
_KEY_PREFIX = "galley:limit:"
_MOST_KEYS = 50_000
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class RateLimit:
    """At most `amount` hits within `window_s` seconds of the first."""

    amount: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a limit like `50/second`; settings have checked its form."""
        amount, _, period = text.partition("/")
        return cls(int(amount), _PERIODS[period])


@dataclass(frozen=True)
class Window:
    """Hits counted in the running window, and the seconds until a new one may begin (0 when none is running)."""

    count: int
    reset_after_s: float


class Windows(Protocol):
    """Where windows are counted."""

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""


class RedisWindows:
    """Windows in Redis, one round trip each.

    :raises RedisUnavailable: from `add`, as well as what redis-py raises when Redis refuses.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._script = client.register_script(files("app.infra").joinpath("rate_window.lua").read_text())

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""
        with redis_errors():
            count, left_ms = self._script(keys=[_KEY_PREFIX + key], args=[hits, window_s * 1000])

        return Window(count, left_ms / 1000)


@dataclass
class _Counter:
    count: int
    ends_at: float


class MemoryWindows:
    """Windows of this process alone. Greenlets may share it: nothing in it switches."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counters: TLRUCache[str, _Counter] = TLRUCache(
            _MOST_KEYS, ttu=lambda _key, counter, _now: counter.ends_at, timer=clock.monotonic
        )

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""
        now = self._clock.monotonic()
        counter = self._counters.get(key) or _Counter(0, now + window_s)
        if hits:
            counter.count += hits
            self._counters[key] = counter
        return Window(counter.count, counter.ends_at - now if counter.count else 0.0)


class FallbackWindows:
    """Windows in Redis, and in this process while Redis is away. Its `add` raises nothing."""

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._shared = RedisWindows(client) if client else None
        self._local = MemoryWindows(self._clock)
        self._rests_until = float("-inf")

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""
        now = self._clock.monotonic()
        if self._shared is None or now < self._rests_until:
            return self._local.add(key, hits, window_s)

        was_away = self._rests_until > float("-inf")
        if was_away:
            # One caller tries whether Redis is back; the others go on without it.
            self._rests_until = now + REST_S
        try:
            window = self._shared.add(key, hits, window_s)
        except (RedisUnavailable, RedisError) as err:
            logger.warning("no Redis for rate limits; each process counts for itself: %s", err)
            self._rests_until = now + REST_S
            return self._local.add(key, hits, window_s)

        self._rests_until = float("-inf")
        return window
