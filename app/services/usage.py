"""The usage log: how much each client asks for, gathered in memory and written to Redis a second later."""

from typing import Final

from prometheus_client import Counter

from app.infra.clock import Clock
from app.services.outbox import Outbox
from app.services.usage_store import DAY_S, DayOfUse, UsageBatch, UsageStore, Use, make_batch

MOST_PENDING: Final = 50_000
"""Kinds of requests that wait while Redis is away, about 400 bytes each; one more kind is dropped and counted."""
MOST_PER_BATCH: Final = 1000
"""Kinds in one batch: while it is folded here, and while Redis adds it there, all others wait."""
FLUSH_EVERY_S: Final = 1.0

DROPPED = Counter("galley_usage_dropped", "Requests that no client's usage counts: Redis was away for too long.")


class UsageLog:
    """Takes requests at once and hands their counts to `store` on a thread of its own. Greenlets may share it."""

    def __init__(self, store: UsageStore, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or Clock()
        self._pending: dict[tuple[int, str, str, str, int], list[int]] = {}
        self._outbox = Outbox("usage", self._next_batch, store.add, every_s=FLUSH_EVERY_S, dropped=DROPPED)

    def note(self, client_id: str, limit_class: str, status: int, model: str = "", rows: int = 0) -> None:
        """Count a request that ended with the HTTP status, and the rows that `model` answered of it. Never waits."""
        kind = (int(self._clock.now() // DAY_S), client_id, limit_class, model, status)
        counted = self._pending.get(kind)
        if counted is None:
            if len(self._pending) >= MOST_PENDING:
                DROPPED.inc()
                return
            counted = self._pending[kind] = [0, 0]

        counted[0] += 1
        counted[1] += rows

    def days(self, client_id: str, *, count: int) -> list[DayOfUse]:
        """Return the last `count` days in which the client asked for something, the newest first, as written so far.

        :raises RedisUnavailable: when Redis does not answer.
        """
        return self._store.days(client_id, until=self._clock.now(), count=count)

    def flush(self) -> bool:
        """Write what waits, and say whether all of it was written; what was not waits on.

        Only one thread may flush at a time: once started, that is the log's own.
        """
        return self._outbox.flush()

    def start(self) -> None:
        """Begin to write every FLUSH_EVERY_S."""
        self._outbox.start()

    def stop(self) -> None:
        """Write what still waits, and end; what Redis does not take now is lost and counted."""
        self._outbox.stop()

    def _next_batch(self) -> UsageBatch | None:
        taken = [self._pending.popitem() for _ in range(min(len(self._pending), MOST_PER_BATCH))]
        uses = {Use(*kind): (requests, rows) for kind, (requests, rows) in taken}
        return make_batch(uses) if uses else None
