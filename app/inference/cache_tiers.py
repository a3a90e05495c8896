"""Both tiers as one place: what this process remembers, and what all processes keep in Redis behind it."""

from collections.abc import Sequence

from app.inference.cache import CachedCall, Kept
from app.inference.cache_keys import shared_key
from app.inference.cache_local import LocalCache
from app.inference.cache_shared import SharedCache, pack_value, unpack_value
from app.infra.clock import Clock


class CacheTiers:
    """Recalls rows that this process does not remember, and keeps what is new. Greenlets of one hub share it."""

    def __init__(self, local: LocalCache, shared: SharedCache, clock: Clock | None = None) -> None:
        self.local = local
        self.shared = shared
        self.clock = clock or Clock()

    def recall(self, call: CachedCall, keys: Sequence[bytes], *, oldest: float) -> dict[bytes, Kept]:
        """Return what Redis has of `keys` that was not computed before `oldest` (monotonic), and remember it here."""
        read = call.read_shared or self.shared.read
        values = read([shared_key(key) for key in keys])
        now, wall = self.clock.monotonic(), self.clock.now()
        found: dict[bytes, Kept] = {}
        for key, value in zip(keys, values, strict=True):
            known = unpack_value(value) if value is not None else None
            if known is None:
                continue

            # Clocks of machines differ: nothing is computed in the future.
            born_at = now - max(0.0, wall - known[0])
            if born_at >= oldest:
                found[key] = Kept(known[1], born_at, born_at + call.ttl_s)
                self.local.put(key, found[key], now)
        return found

    def keep(self, call: CachedCall, key: bytes, frame: bytes | memoryview) -> Kept:
        """Keep a row that was just computed, for as long as the call's answers are kept.

        One that is kept as it is, and not for long, stays: who asks for fresh answers only would write the same each
        time, into Redis as well.
        """
        now = self.clock.monotonic()
        kept = Kept(frame, now, now + call.ttl_s)
        known = self.local.get(key, now, oldest=now - call.ttl_s / 2)
        if known is not None and known.frame == frame:
            return kept

        self.local.put(key, kept, now)
        if isinstance(frame, bytes):
            self.shared.write(shared_key(key), pack_value(frame, self.clock.now()), call.ttl_s)
        return kept
