"""Rate limits that all processes share through Redis, and that each counts for itself while Redis is away."""

import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol, Self

import redis
from cachetools import TLRUCache

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
class Usage:
    """Where a key stands: hits counted in the running window, and the seconds until a new one may begin."""

    limit: RateLimit
    count: int
    reset_after_s: float

    @property
    def is_exceeded(self) -> bool:
        """Whether the last hit was one too many."""
        return self.count > self.limit.amount

    @property
    def is_spent(self) -> bool:
        """Whether the next hit would be one too many."""
        return self.count >= self.limit.amount

    @property
    def remaining(self) -> int:
        """How many hits the window still allows."""
        return max(self.limit.amount - self.count, 0)


class Windows(Protocol):
    """Where windows are counted."""

    def add(self, key: str, hits: int, limit: RateLimit) -> Usage:
        """Count `hits` (0 to look only) and return where the key stands."""


class RedisWindows:
    """Windows in Redis, one round trip each.

    :raises RedisUnavailable: from `add`.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._script = client.register_script(files("app.infra").joinpath("rate_window.lua").read_text())

    def add(self, key: str, hits: int, limit: RateLimit) -> Usage:
        """Count `hits` (0 to look only) and return where the key stands."""
        with redis_errors():
            count, left_ms = self._script(keys=[_KEY_PREFIX + key], args=[hits, limit.window_s * 1000])

        return Usage(limit, count, left_ms / 1000)


@dataclass
class _Window:
    count: int
    ends_at: float


class MemoryWindows:
    """Windows of this process alone. Greenlets may share it: nothing in it switches."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: TLRUCache[str, _Window] = TLRUCache(
            _MOST_KEYS, ttu=lambda _key, window, _now: window.ends_at, timer=clock.monotonic
        )

    def add(self, key: str, hits: int, limit: RateLimit) -> Usage:
        """Count `hits` (0 to look only) and return where the key stands."""
        now = self._clock.monotonic()
        window = self._windows.get(key) or _Window(0, now + limit.window_s)
        if hits:
            window.count += hits
            self._windows[key] = window
        return Usage(limit, window.count, window.ends_at - now if window.count else 0.0)


class RateLimiter:
    """Counts in Redis, and in this process while Redis is away."""

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._shared = RedisWindows(client) if client else None
        self._local = MemoryWindows(self._clock)
        self._rests_until = float("-inf")

    def hit(self, key: str, limit: RateLimit) -> Usage:
        """Count one hit and return where the key stands."""
        return self._add(key, 1, limit)

    def look(self, key: str, limit: RateLimit) -> Usage:
        """Return where the key stands, without a hit."""
        return self._add(key, 0, limit)

    def _add(self, key: str, hits: int, limit: RateLimit) -> Usage:
        now = self._clock.monotonic()
        if self._shared is None or now < self._rests_until:
            return self._local.add(key, hits, limit)

        was_away = self._rests_until > float("-inf")
        if was_away:
            # One caller tries whether Redis is back; the others go on without it.
            self._rests_until = now + REST_S
        try:
            usage = self._shared.add(key, hits, limit)
        except RedisUnavailable:
            logger.warning("no Redis for rate limits; each process counts for itself")
            self._rests_until = now + REST_S
            return self._local.add(key, hits, limit)

        self._rests_until = float("-inf")
        return usage
