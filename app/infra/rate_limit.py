"""Rate limits that all processes share through Redis, and that each counts for itself while Redis is away."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol, Self

import redis
from cachetools import TLRUCache

from app.infra.clock import Clock
from app.infra.redis import redis_errors
from app.infra.redis_rest import RedisRest

KEY_PREFIX: Final = "galley:limit:"
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


@dataclass(slots=True)
class Window:
    """Hits counted in the running window, and the seconds until a new one may begin (0 when none is running).

    Not frozen: it is made for each request, and would take three times as long.
    """

    count: int
    reset_after_s: float


@dataclass(frozen=True, slots=True)
class LotRequest:
    """Hits to count in a key's window; `asked_at` is the monotonic time at which they were wanted."""

    key: str
    hits: int
    window_s: int
    asked_at: float


class Windows(Protocol):
    """Where windows are counted."""

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""


class RedisWindows:
    """Windows in Redis, one round trip each.

    :raises RedisUnavailable: from all methods, as well as what redis-py raises when Redis refuses.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._script = client.register_script(files("app.infra").joinpath("hot_read.lua").read_text())

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""
        window, _ = self.add_and_read(key, hits, window_s, keys=())
        return window

    def add_and_read(
        self, key: str, hits: int, window_s: int, *, keys: tuple[str, ...]
    ) -> tuple[Window, list[bytes | None]]:
        """Count like `add`, and return what each of `keys` holds besides; None where it is nothing."""
        with redis_errors():
            count, left_ms, values = self._script(keys=(KEY_PREFIX + key, *keys), args=(hits, window_s * 1000))

        return Window(count, left_ms / 1000), values


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
    """Windows in Redis, and in this process while Redis is away. Its methods raise nothing.

    `rest` says whether Redis is asked; what else can do without Redis may share it, and so its failures.
    """

    def __init__(self, client: redis.Redis | None, clock: Clock | None = None) -> None:
        clock = clock or Clock()
        self._shared = RedisWindows(client) if client else None
        self._local = MemoryWindows(clock)
        self.rest = RedisRest(clock)

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Count `hits` (0 to look only) in the key's window, which the first of them begins; return its state."""
        window, _ = self.add_and_read(key, hits, window_s, keys=())
        return window

    def add_and_read(
        self, key: str, hits: int, window_s: int, *, keys: tuple[str, ...]
    ) -> tuple[Window, list[bytes | None]]:
        """Count like `add`, and return what each of `keys` holds besides; nothing while Redis is away."""
        shared = self._shared
        if shared is not None:
            answer = self.rest.ask(lambda: shared.add_and_read(key, hits, window_s, keys=keys))
            if answer is not None:
                return answer

        return self._local.add(key, hits, window_s), [None] * len(keys)
