"""The queues of tasks as the broker has them: how many messages wait, and for how long the oldest has."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from app.infra.broker import queue_keys
from app.infra.clock import Clock
from app.infra.redis import redis_errors

SENT_AT: Final = "galley_sent_at"
"""The header of a message that says when it was sent, in seconds since 1970: Celery's own do not."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What waits in one queue."""

    messages: int
    oldest_s: float
    """How long ago the oldest message was sent; 0 when none waits, or it does not say."""


class BrokerQueues:
    """Looks into Celery's queues, which are lists in Redis, without taking anything. Share it between threads.

    :raises RedisUnavailable: when Redis does not answer.
    """

    def __init__(self, client: redis.Redis, *, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()

    def count(self, names: Iterable[str]) -> int:
        """Count the messages that wait in these queues, all together."""
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for key in _keys(names):
                pipe.llen(key)
            return sum(pipe.execute())

    def look(self, names: Iterable[str]) -> dict[str, Waiting]:
        """Return what waits in each of these queues, by its name."""
        names = list(names)
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for key in _keys(names):
                pipe.llen(key)
                # New messages come in on the left, and are taken from the right.
                pipe.lindex(key, -1)
            answers = iter(pipe.execute())
        return {name: self._waiting([(next(answers), next(answers)) for _ in queue_keys(name)]) for name in names}

    def _waiting(self, lists: Sequence[tuple[int, bytes | None]]) -> Waiting:
        """Add up the lists of a queue, of which there is one for each priority."""
        return Waiting(
            messages=sum(count for count, _ in lists),
            oldest_s=max(self._age_s(oldest) for _, oldest in lists),
        )

    def _age_s(self, message: bytes | None) -> float:
        if message is None:
            return 0.0

        headers: dict[str, Any] = json.loads(message).get("headers") or {}
        sent_at = headers.get(SENT_AT)
        return max(0.0, self._clock.now() - sent_at) if isinstance(sent_at, int | float) else 0.0


def _keys(names: Iterable[str]) -> list[str]:
    return [key for name in names for key in queue_keys(name)]
