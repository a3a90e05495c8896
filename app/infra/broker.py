"""Where tasks are queued: Celery's view of the Redis that holds what must not be lost."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from kombu.transport.redis import Channel

from app.settings import Settings

# A task whose worker was lost comes again after this long. Longer than a task takes, or it runs twice.
VISIBILITY_TIMEOUT_S = 3600
HEALTH_CHECK_S = 10


def broker_url(redis_url: str) -> str:
    """Return a Redis URL the way Celery spells it: it writes `unix://` as `redis+socket://`."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url

    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def transport_options(settings: Settings) -> dict[str, Any]:
    """Return the options that keep a hung Redis from holding a caller: without them one send took 35 s."""
    return {
        "socket_timeout": settings.redis_timeout_s,
        "socket_connect_timeout": settings.redis_timeout_s,
        "health_check_interval": HEALTH_CHECK_S,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
    }


def queue_keys(queue: str) -> list[str]:
    """Return the keys of Redis that hold what waits in a queue: a list for each priority, the first one's first."""
    return [queue_key(queue, step) for step in Channel.priority_steps]


def queue_key(queue: str, priority: int) -> str:
    """Return the key of Redis that holds what waits in a queue with one of the priorities."""
    return f"{queue}{Channel.sep}{priority}" if priority else queue
