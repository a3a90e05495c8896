"""Tickets that let workers take chunks: sent where chunks wait that nobody holds, and few tickets do."""

import logging
from typing import Final

from app.errors import RedisUnavailable
from app.infra.broker import queue_key
from app.infra.redis import redis_errors
from app.infra.task_names import QueueName, priority_of
from app.services.batch_jobs import ticket_of
from workers.bootstrap import WorkerParts

logger = logging.getLogger(__name__)

# Enough for all processes of some workers. Each new job brings its own: were each ticket followed by another whatever
# waits, they would only become more.
MOST_TICKETS: Final = 8


def send_following(parts: WorkerParts, queue: QueueName) -> None:
    """Send a ticket in the place of one that was used, if there is a chunk for it; what is not sent now is later."""
    try:
        if parts.chunks.count_free(queue, most=1) and _count_waiting(parts, queue) < MOST_TICKETS:
            parts.batch_jobs.send_tickets(queue, 1)
    except RedisUnavailable as err:
        logger.warning("the next ticket waits until the broker is back: %s", err.detail)


def send_missing(parts: WorkerParts, queue: QueueName) -> int:
    """Send tickets for a queue in which none waits; return how many.

    :raises UnavailableError: when SQL or the broker is away.
    """
    count = 0 if _count_waiting(parts, queue) else parts.chunks.count_free(queue, most=MOST_TICKETS)
    parts.batch_jobs.send_tickets(queue, count)
    return count


def _count_waiting(parts: WorkerParts, queue: QueueName) -> int:
    with redis_errors():
        return int(parts.state_redis.llen(queue_key(queue.value, priority_of(ticket_of(queue)))))
