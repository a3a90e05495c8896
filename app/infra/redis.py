"""Redis as Galley uses it: timeouts on every call, its errors in Galley's words, a listener that survives outages."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from app.errors import RedisUnavailable
from app.settings import Settings

logger = logging.getLogger(__name__)

OUTAGES: Final = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError)
"""What redis-py raises when Redis cannot serve; all other errors of it are mistakes of ours."""

# redis-py has no class for it: how Redis refuses writes when it could not save the last ones.
FULL_DISK: Final = "MISCONF"

# How soon `Subscriber.stop` is noticed, and how long an outage lasts after Redis is back.
STEP_S = 0.2
# A subscription has no traffic of its own: without a question now and then, a hung Redis would look alive.
# Both together stay under a second: so long may a revocation take that comes while Redis hangs.
PING_EVERY_S = 0.3
ANSWER_WITHIN_S = 0.5


# redis-py's own bound is 100, and a worker serves a thousand requests at once: the others would be told that Redis is
# away. Redis itself takes 10 000 clients.
MOST_CONNECTIONS: Final = 1000


def make_redis(settings: Settings) -> redis.Redis:
    """Build a client of the Redis that holds what may be forgotten, as `open_redis` does."""
    return open_redis(settings.redis_url, timeout_s=settings.redis_timeout_s)


def make_state_redis(
    settings: Settings, *, patience_s: float = 0.0, most_connections: int = MOST_CONNECTIONS
) -> redis.Redis:
    """Build a client of the Redis that holds what must not be lost, as `open_redis` does.

    `patience_s` is for commands that block so long on purpose; who waits in them holds a connection.
    """
    timeout_s, url = settings.redis_timeout_s, settings.state_redis_url
    return open_redis(url, timeout_s=timeout_s, patience_s=patience_s, most_connections=most_connections)


def open_redis(
    url: str, *, timeout_s: float, patience_s: float = 0.0, most_connections: int = MOST_CONNECTIONS
) -> redis.Redis:
    """Build a client: lazy, pooled, safe to share between threads or greenlets. Make it after fork.

    No call is tried twice: a caller's time is worth more than an answer from a Redis that is going away, and
    a pooled connection that broke while it was idle is replaced before it is used.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s + patience_s,
        socket_connect_timeout=timeout_s,
        max_connections=most_connections,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Wrap what a Redis outage raises.

    :raises RedisUnavailable: when Redis is away, hung, full or read-only.
    """
    try:
        yield
    except OUTAGES as err:
        raise RedisUnavailable("Redis does not answer; try again shortly.") from err
    except ResponseError as err:
        if FULL_DISK not in str(err):
            raise
        raise RedisUnavailable("Redis cannot write to its disk; try again shortly.") from err


@contextmanager
def redis_refusals() -> Iterator[None]:
    """Wrap what `redis_errors` does, and what is no outage: a command that is not let through, a script that fails.

    For whoever has callers that can do nothing but come again.

    :raises RedisUnavailable: in all these cases.
    """
    try:
        with redis_errors():
            yield
    except RedisError as err:
        logger.error("Redis refused a command: %s", err)
        raise RedisUnavailable("Redis refused a command; try again shortly.") from err


class Subscriber:
    """Listens to channels on a thread of its own and comes back by itself after any outage.

    Each channel's callback gets the message's bytes. `on_connect` runs at every (re)connection, after the
    subscription stands: read there what may have been missed. `on_step` runs a few times a second while it stands.
    Callbacks must be short; they share one thread.
    """

    def __init__(
        self,
        client: redis.Redis,
        channels: Mapping[str, Callable[[bytes], None]],
        *,
        on_connect: Callable[[], None] | None = None,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._channels = {name.encode(): callback for name, callback in channels.items()}
        self._on_connect = on_connect
        self._on_step = on_step
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-subscriber", daemon=True)
        self._is_connected = False

    @property
    def is_connected(self) -> bool:
        """Whether messages arrive at present."""
        return self._is_connected

    def start(self) -> None:
        """Begin to listen; returns before the connection stands."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it (at most one Redis timeout)."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (RedisUnavailable, RedisError) as err:
                self._note_outage(err)
                self._stopping.wait(STEP_S)

    def _listen(self) -> None:
        with redis_errors(), self._open() as pubsub:
            pubsub.subscribe(*self._channels)
            heard_at = self._ask(pubsub)
            self._note_connection()
            while not self._stopping.is_set():
                if self._on_step is not None:
                    self._on_step()
                if self._take(pubsub) is not None:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > PING_EVERY_S:
                    heard_at = self._ask(pubsub)
        self._is_connected = False

    def _open(self) -> PubSub:
        pubsub: PubSub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        return pubsub

    def _take(self, pubsub: PubSub) -> str | None:
        """Hand over one message, waiting a step for it. Returns its type, or None when nothing came."""
        message = pubsub.get_message(timeout=STEP_S)
        if message is None:
            return None

        if message["type"] == "message":
            self._channels[message["channel"]](message["data"])
        return str(message["type"])

    def _ask(self, pubsub: PubSub) -> float:
        """Make Redis answer; what else arrives meanwhile is handed over. Returns the time of the answer."""
        pubsub.ping()
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while time.monotonic() < deadline:
            if self._take(pubsub) == "pong":
                return time.monotonic()
        raise RedisTimeoutError("a ping on the subscription was not answered")

    def _note_connection(self) -> None:
        self._is_connected = True
        logger.info("subscribed to %s", b", ".join(self._channels).decode())
        if self._on_connect is not None:
            self._on_connect()

    def _note_outage(self, err: Exception) -> None:
        if self._is_connected:
            logger.warning("the subscription is lost: %s", err)
        self._is_connected = False
