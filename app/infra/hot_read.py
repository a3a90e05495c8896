"""The one trip to Redis that a request of a hot route takes: its limit and what the cache has, together."""

from collections.abc import Sequence
from typing import cast

import redis

from app.infra.rate_limit import FallbackWindows, LotRequest, Window
from app.infra.redis import redis_errors


class HotRead:
    """Counts a lot and reads keys, in one call where both are wanted. Greenlets may share it; it raises nothing.

    While Redis is away this process counts for itself, and no key holds anything.
    """

    def __init__(self, client: redis.Redis | None, windows: FallbackWindows) -> None:
        self._client = client
        self._windows = windows

    def run(self, lot: LotRequest | None, keys: Sequence[str]) -> tuple[Window | None, Sequence[bytes | None]]:
        """Count `lot`, if there is one; return its window, and what each of `keys` holds: None where it is nothing."""
        if lot is None:
            return None, self._read(keys)

        return self._windows.add_and_read(lot.key, lot.hits, lot.window_s, keys=tuple(keys))

    def _read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        client = self._client
        values = self._windows.rest.ask(lambda: _read(client, keys)) if client and keys else None
        return [None] * len(keys) if values is None else values


def _read(client: redis.Redis, keys: Sequence[str]) -> list[bytes | None]:
    with redis_errors():
        return cast(list[bytes | None], client.mget(keys))
