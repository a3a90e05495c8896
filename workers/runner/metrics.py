"""What a runner counts for Prometheus, by model and version."""

from prometheus_client import Counter, Histogram

from model_store.model_ref import ModelRef

_LABELS = ("model", "version")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

ROWS = Counter("galley_runner_rows", "Rows a runner ended, by outcome (ok or the error's code)", (*_LABELS, "outcome"))
REFUSALS = Counter("galley_runner_refusals", "Requests a runner refused whole, by code", (*_LABELS, "code"))
BATCHES = Counter("galley_runner_batches", "Batches a runner ran", _LABELS)
BATCH_ROWS = Histogram("galley_runner_batch_rows", "Rows per batch", _LABELS, buckets=_SIZES)
QUEUE_SECONDS = Histogram("galley_runner_queue_seconds", "Seconds a row waited", _LABELS, buckets=_SECONDS)
COMPUTE_SECONDS = Histogram(
    "galley_runner_compute_seconds", "Seconds of preprocessing and forward that a row's batch took", _LABELS,
    buckets=_SECONDS,
)  # fmt: skip


class RunnerMetrics:
    """The counters of one runner, bound to its version once: looking labels up costs more than counting."""

    def __init__(self, ref: ModelRef) -> None:
        self._labels = (ref.name, str(ref.version))
        self._ok = ROWS.labels(*self._labels, "ok")
        self._batches = BATCHES.labels(*self._labels)
        self._batch_rows = BATCH_ROWS.labels(*self._labels)
        self._queue_s = QUEUE_SECONDS.labels(*self._labels)
        self._compute_s = COMPUTE_SECONDS.labels(*self._labels)

    def batch(self, rows: int) -> None:
        """Count a batch that was run."""
        self._batches.inc()
        self._batch_rows.observe(rows)

    def row(self, *, queue_s: float, compute_s: float, failure: str = "") -> None:
        """Count a row that was answered, or failed with a code."""
        self._queue_s.observe(queue_s)
        self._compute_s.observe(compute_s)
        if failure:
            ROWS.labels(*self._labels, failure).inc()
        else:
            self._ok.inc()

    def refusal(self, code: str) -> None:
        """Count a request that was refused."""
        REFUSALS.labels(*self._labels, code).inc()
