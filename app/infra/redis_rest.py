"""Redis asked where it helps and is not needed: after a failure it is left alone for a while."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from redis.exceptions import RedisError

from app.errors import RedisUnavailable
from app.infra.clock import Clock

T = TypeVar("T")

logger = logging.getLogger(__name__)

# A hung Redis costs each call its whole timeout: so long nobody asks it.
REST_S: Final = 5.0


class RedisRest:
    """Lets Redis be asked, unless it failed a moment ago. Greenlets may share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")

    def ask(self, question: Callable[[], T]) -> T | None:
        """Return what `question` gets of Redis, None while Redis has no answer. Raises nothing of Redis."""
        now = self._clock.monotonic()
        if now < self._until:
            return None

        was_away = self._until > float("-inf")
        if was_away:
            # One caller tries whether Redis is back; the others go on without it.
            self._until = now + REST_S
        try:
            answer = question()
        except (RedisUnavailable, RedisError) as err:
            logger.warning("no Redis; each process limits and remembers for itself: %s", err)
            self._until = now + REST_S
            return None

        self._until = float("-inf")
        return answer
