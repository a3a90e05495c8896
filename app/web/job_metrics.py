"""Gauges of jobs, asked of SQL, broker and disk at each scrape: true for all processes, also while no worker runs."""

import logging
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.errors import StoreUnreachable, UnavailableError
from app.infra.task_names import QueueName
from app.web.extensions import Services

logger = logging.getLogger(__name__)


def collect_jobs(services: Services) -> bytes:
    """Return the gauges of jobs in Prometheus' text format. What cannot be asked is left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_JobCollector(services))
    return generate_latest(registry)


class _JobCollector(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: nobody else writes into the registry."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Ask each source for itself, so that one that is away takes nothing of the others with it."""
        for source in (_of_sql, _of_broker, _of_disk):
            try:
                yield from source(self._services)
            except (UnavailableError, StoreUnreachable) as err:
                logger.warning("gauges of jobs are left out of a scrape: %s", err.detail)


def _of_sql(services: Services) -> list[Metric]:
    figures = services.job_figures.read()
    jobs = GaugeMetricFamily("galley_jobs", "Jobs on record, by state", labels=["state"])
    for state, count in figures.jobs.items():
        jobs.add_metric([state], count)
    chunks = GaugeMetricFamily("galley_job_chunks", "Chunks of open jobs that wait or run", labels=["queue", "state"])
    for (queue, state), count in figures.chunks.items():
        chunks.add_metric([queue, state], count)
    unserved = GaugeMetricFamily(
        "galley_job_unserved_seconds",
        "For how long the job served longest ago has had work that nobody began",
        labels=["queue"],
    )
    for queue, seconds in figures.unserved_s.items():
        unserved.add_metric([queue], seconds)
    return [jobs, chunks, unserved]


def _of_broker(services: Services) -> list[Metric]:
    messages = GaugeMetricFamily("galley_queue_messages", "Tasks that wait in the broker", labels=["queue"])
    oldest = GaugeMetricFamily("galley_queue_oldest_seconds", "Age of the oldest of them", labels=["queue"])
    for queue, waiting in services.broker_queues.look(name.value for name in QueueName).items():
        messages.add_metric([queue], waiting.messages)
        oldest.add_metric([queue], waiting.oldest_s)
    return [messages, oldest]


def _of_disk(services: Services) -> list[Metric]:
    free_bytes = services.job_room.free_bytes()
    reserve_bytes = services.settings.job_disk_reserve
    reserve = GaugeMetricFamily("galley_job_disk_reserve_bytes", "JOB_DISK_RESERVE", value=reserve_bytes)
    if free_bytes is None:
        return [reserve]

    return [reserve, GaugeMetricFamily("galley_job_disk_free_bytes", "Room on the disk of jobs", value=free_bytes)]
