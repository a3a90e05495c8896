"""Gauges of the parts Galley stands on, asked at each scrape: ready or not, how full, how old."""

import platform
import shutil
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis

from app.errors import RedisUnavailable
from app.infra.backup_note import backup_age_s
from app.infra.redis import redis_errors
from app.web.extensions import Services

BUILD: Final = {"version": version("galley"), "python": platform.python_version()}


def collect_parts(services: Services) -> bytes:
    """Return these gauges in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_PartCollector(services))
    return generate_latest(registry)


class _PartCollector(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: nobody else writes into the registry."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Ask each part."""
        build = GaugeMetricFamily("galley_build_info", "What runs: always 1", labels=list(BUILD))
        build.add_metric(list(BUILD.values()), 1)
        yield build
        ready = GaugeMetricFamily("galley_ready", "Whether a part is ready, as /health/ready has it", labels=["part"])
        for part, state in self._services.readiness.parts().items():
            ready.add_metric([part], state.is_ready)
        yield ready
        yield from _of_directory(self._services)
        yield from _of_redis({"cache": self._services.redis, "state": self._services.state_redis})
        yield from _of_disk(self._services)
        yield from _of_backups(self._services)
        yield from _of_heavy_workers(self._services)


def _of_directory(services: Services) -> Iterator[Metric]:
    published_at = services.directory.snapshot.published_at
    if published_at:
        age_s = max(0.0, time.time() - published_at)
        yield GaugeMetricFamily("galley_directory_age_seconds", "Since the controller published what runs", value=age_s)


def _of_redis(clients: dict[str, Redis]) -> Iterator[Metric]:
    """Tell of each role's Redis, even if one has both."""
    up = GaugeMetricFamily("galley_redis_up", "Whether Redis answers, by what it holds", labels=["role"])
    used = GaugeMetricFamily("galley_redis_memory_bytes", "What Redis holds", labels=["role"])
    limit = GaugeMetricFamily("galley_redis_memory_limit_bytes", "maxmemory; 0 is without a limit", labels=["role"])
    writes = GaugeMetricFamily(
        "galley_redis_takes_writes", "Whether Redis is no replica and writes down", labels=["role"]
    )
    for role, client in clients.items():
        facts = _facts(client)
        up.add_metric([role], facts is not None)
        if facts is not None:
            used.add_metric([role], facts["used_memory"])
            limit.add_metric([role], facts["maxmemory"])
            writes.add_metric([role], facts["role"] == "master" and facts["aof_last_write_status"] == "ok")
    yield from (up, used, limit, writes)


def _of_disk(services: Services) -> Iterator[Metric]:
    usage = shutil.disk_usage(services.settings.var_dir)
    yield GaugeMetricFamily("galley_disk_free_bytes", "Room on the disk of VAR_DIR", value=usage.free)
    yield GaugeMetricFamily("galley_disk_bytes", "How large that disk is", value=usage.total)


def _of_heavy_workers(services: Services) -> Iterator[Metric]:
    slots = services.heavy_workers.slots()
    yield GaugeMetricFamily("galley_heavy_slots", "Processes that answer calls of heavy models", value=slots)


def _of_backups(services: Services) -> Iterator[Metric]:
    age_s = backup_age_s(services.settings.var_dir)
    if age_s is not None:
        yield GaugeMetricFamily("galley_backup_age_seconds", "Since a backup without damage was made", value=age_s)


def _facts(client: Redis) -> dict[str, Any] | None:
    try:
        with redis_errors():
            facts: dict[str, Any] = client.info()
    except RedisUnavailable:
        return None

    return facts
