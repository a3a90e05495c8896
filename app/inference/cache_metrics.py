"""What the cache of a web worker counts for Prometheus, by model."""

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app.inference.cache import CacheOutcome

_AGES_S: Final = (1, 2, 5, 10, 30, 60, 300, 1800, 3600, 86_400)

REQUESTS = Counter(
    "galley_cache_requests",
    "Requests that looked into a tier of the cache: `hit` if it had all they lacked. `flight` is what another request"
    " of this process was asking for already",
    ("tier", "outcome", "model"),
)
BYPASSED = Counter("galley_cache_bypassed", "Requests whose caller did not want a kept answer", ("model",))
AGE = Histogram(
    "galley_cache_age_seconds", "Age of the oldest row of an answer that was kept", ("model",), buckets=_AGES_S
)
BYTES = Gauge("galley_cache_bytes", "Bytes that web workers keep in their memory", multiprocess_mode="livesum")
ENTRIES = Gauge("galley_cache_entries", "Rows that web workers keep in their memory", multiprocess_mode="livesum")
EVICTIONS = Counter("galley_cache_evictions", "Rows that made way for others before their time")
WITHOUT_REDIS = Counter(
    "galley_cache_without_redis",
    "Reads and batches of writes that Redis, away or resting, did not answer",
    ("operation",),
)
UNWRITTEN = Counter("galley_cache_unwritten", "Rows not written to Redis, because it was full or too many were waiting")


class TierMetrics:
    """The counters of one tier and model, bound once: looking labels up costs as much as counting."""

    def __init__(self, tier: str, model: str) -> None:
        self._hits = REQUESTS.labels(tier, CacheOutcome.HIT.value, model)
        self._misses = REQUESTS.labels(tier, CacheOutcome.MISS.value, model)

    def hit(self) -> None:
        """Count a request that found all it lacked."""
        self._hits.inc()

    def count(self, *, is_hit: bool) -> None:
        """Count a request that looked here."""
        (self._hits if is_hit else self._misses).inc()


class CacheMetrics:
    """What is counted for one model."""

    def __init__(self, model: str) -> None:
        self.local = TierMetrics("local", model)
        self.shared = TierMetrics("shared", model)
        self.flight = TierMetrics("flight", model)
        self.bypass = BYPASSED.labels(model).inc
        self.age = AGE.labels(model).observe


# Only models that are published come here, so there are no more of them than of those.
metrics_of = cache(CacheMetrics)
