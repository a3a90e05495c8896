"""Tells callers that this Celery worker serves heavy models, for as long as it does."""

import logging
from typing import Any

from celery import bootsteps

from app.errors import RedisUnavailable
from app.inference.heavy_workers import EVERY_S
from app.infra.task_names import QueueName

logger = logging.getLogger(__name__)


class HeavyPresence(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """A step of the worker's consumer: it starts with each connection to the broker and stops with its end."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Say so now, and every few seconds."""
        self._announce(consumer)
        self._timer = consumer.timer.call_repeatedly(EVERY_S, self._announce, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Say that this worker is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            consumer.app.heavy_queue.workers.retire(consumer.hostname, consumer.pool.num_processes)
        except RedisUnavailable as err:
            logger.info("callers of heavy models will miss this worker by themselves: %s", err.detail)

    def _announce(self, consumer: Any) -> None:
        if QueueName.HEAVY.value not in consumer.app.amqp.queues.consume_from:
            return

        try:
            consumer.app.heavy_queue.workers.announce(consumer.hostname, consumer.pool.num_processes)
        except RedisUnavailable as err:
            logger.warning("callers of heavy models cannot be told of this worker: %s", err.detail)
