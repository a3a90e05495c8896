"""How processes tell each other that a token, or a whole client, is refused from now on."""

import logging
import threading
from collections import deque
from typing import Final

import redis
from cachetools import TTLCache
from redis.exceptions import RedisError

from app.errors import RedisUnavailable
from app.infra.clock import Clock
from app.infra.redis import Subscriber, redis_errors

logger = logging.getLogger(__name__)

CHANNEL: Final = "galley:tokens:revoked"
_TOKEN = "token"  # noqa: S105 - a kind of message
_CLIENT = "client"
_MOST_REMEMBERED = 100_000
_MOST_UNTOLD = 10_000


class RevocationFeed:
    """What this process heard of revocations, and the way to tell the others.

    SQL holds the truth; the feed makes it arrive within a second. Without Redis it only knows its own, and tells the
    others once Redis is back: they may have heard all the time, and not know that they missed something.
    """

    def __init__(self, client: redis.Redis | None, *, remember_s: float, clock: Clock) -> None:
        self._redis = client
        self._clock = clock
        self._lock = threading.Lock()
        # Longer than any token lives, there is nothing left to refuse.
        self._heard: TTLCache[str, float] = TTLCache(_MOST_REMEMBERED, ttl=remember_s, timer=clock.monotonic)
        self._untold: deque[str] = deque(maxlen=_MOST_UNTOLD)
        self._connected_at = float("inf")
        self._subscriber = (
            Subscriber(client, {CHANNEL: self._hear}, on_connect=self._connected, on_step=self._tell_untold)
            if client
            else None
        )

    def start(self) -> None:
        """Begin to listen to the other processes."""
        if self._subscriber:
            self._subscriber.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._subscriber:
            self._subscriber.stop()

    def covers(self, since: float) -> bool:
        """Say whether every revocation since that monotonic time has been heard."""
        return bool(self._subscriber and self._subscriber.is_connected and since >= self._connected_at)

    def is_refused(self, *, token_id: str, client_id: str, issued_at: float) -> bool:
        """Say whether a revocation of the token, or of its client after it was issued, was heard."""
        with self._lock:
            if f"{_TOKEN}:{token_id}" in self._heard:
                return True

            return issued_at <= self._heard.get(f"{_CLIENT}:{client_id}", float("-inf"))

    def tell_token(self, token_id: str) -> None:
        """Tell all processes that a token is revoked."""
        self._tell(f"{_TOKEN}:{token_id}")

    def tell_client(self, client_id: str) -> None:
        """Tell all processes that every token issued to a client so far is revoked."""
        self._tell(f"{_CLIENT}:{client_id}")

    def _tell(self, message: str) -> None:
        self._note(message)
        if self._redis is not None:
            self._untold.append(message)
            self._tell_untold()

    def _tell_untold(self) -> None:
        """Announce what was not announced yet, as far as Redis takes it."""
        while self._redis is not None and self._untold:
            message = self._untold.popleft()
            try:
                with redis_errors():
                    self._redis.publish(CHANNEL, message)
            except (RedisUnavailable, RedisError) as err:
                logger.warning("no Redis to announce a revocation, it is tried again: %s", err)
                self._untold.appendleft(message)
                return

    def _hear(self, message: bytes) -> None:
        self._note(message.decode())

    def _note(self, message: str) -> None:
        with self._lock:
            self._heard[message] = self._clock.now()

    def _connected(self) -> None:
        self._connected_at = self._clock.monotonic()
