"""What a runner counts for Prometheus, by model and version."""

import time
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from app.errors import GalleyError
from model_store.model_ref import ModelRef
from workers.runner.batch import Execution, Work

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

# The stages of a row are those of the statistics extension of the Open Inference Protocol: `success` and `fail` are a
# row's whole time, from its arrival to its answer.
STAGES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
STAGE_SECONDS = Counter("galley_runner_stage_seconds", "Seconds that rows spent in a stage", (*_LABELS, "stage"))
STAGE_ROWS = Counter("galley_runner_stage", "Rows that went through a stage", (*_LABELS, "stage"))
# As many series as a model takes rows at once: statistics tell them, scrapes do not (app/infra/metrics.py).
BATCH_SIZES = Counter("galley_runner_batch_size", "Calls of the model, by rows in the batch", (*_LABELS, "batch_size"))
BATCH_SECONDS = Counter(
    "galley_runner_batch_seconds", "Seconds of the stages of a batch, by its rows", (*_LABELS, "batch_size", "stage")
)
LAST_INFERENCE = Gauge(
    "galley_runner_last_inference_ms", "When the model answered last, in milliseconds since 1970", _LABELS,
    multiprocess_mode="max",
)  # fmt: skip


class _Stage:
    """Seconds and rows of one stage; added up over a batch, because a counter costs more than a sum."""

    def __init__(self, labels: tuple[str, str], stage: str) -> None:
        self._seconds = STAGE_SECONDS.labels(*labels, stage)
        self._rows = STAGE_ROWS.labels(*labels, stage)

    def add(self, seconds: list[float]) -> None:
        if seconds:
            self._seconds.inc(sum(seconds))
            self._rows.inc(len(seconds))


class _BatchSize:
    """Calls of the model with batches of one size."""

    def __init__(self, labels: tuple[str, str], size: int) -> None:
        self._count = BATCH_SIZES.labels(*labels, str(size))
        self._input, self._infer, self._output = (BATCH_SECONDS.labels(*labels, str(size), name) for name in STAGES[3:])

    def add(self, execution: Execution) -> None:
        self._count.inc()
        self._input.inc(execution.input_s)
        self._infer.inc(execution.infer_s)
        self._output.inc(execution.output_s)


class RunnerMetrics:
    """The counters of one runner, bound to its version once: looking labels up costs more than counting.

    Used by the socket's thread only.
    """

    def __init__(self, ref: ModelRef) -> None:
        self._labels = (ref.name, str(ref.version))
        self._ok = ROWS.labels(*self._labels, "ok")
        self._batches = BATCHES.labels(*self._labels)
        self._batch_rows = BATCH_ROWS.labels(*self._labels)
        self._queue_s = QUEUE_SECONDS.labels(*self._labels)
        self._compute_s = COMPUTE_SECONDS.labels(*self._labels)
        self._last_inference = LAST_INFERENCE.labels(*self._labels)
        self._stages = {stage: _Stage(self._labels, stage) for stage in STAGES}
        self._sizes: dict[int, _BatchSize] = {}

    def executed(self, executions: Sequence[Execution]) -> None:
        """Count calls of the model; it is not asked about a batch without rows."""
        for execution in executions:
            if not execution.size:
                continue
            self._batches.inc()
            self._batch_rows.observe(execution.size)
            if execution.size not in self._sizes:
                self._sizes[execution.size] = _BatchSize(self._labels, execution.size)
            self._sizes[execution.size].add(execution)
        if executions:
            self._last_inference.set(time.time_ns() // 1_000_000)

    def answered(self, works: Sequence[Work], now: float) -> None:
        """Count rows that were answered, or failed, at `now` (monotonic seconds)."""
        for work in works:
            self._queue_s.observe(work.queue_s(now))
            self._compute_s.observe(work.compute_s)
            if isinstance(work.answer, GalleyError):
                ROWS.labels(*self._labels, work.answer.code).inc()
        good = [work for work in works if not isinstance(work.answer, GalleyError)]
        if good:
            self._ok.inc(len(good))
        self._stages["success"].add([now - work.row.queued_at for work in good])
        self._stages["fail"].add([now - work.row.queued_at for work in works if isinstance(work.answer, GalleyError)])
        self._stages["queue"].add([work.queue_s(now) for work in good])
        self._stages["compute_input"].add([work.input_s for work in good])
        self._stages["compute_infer"].add([work.infer_s for work in good])
        self._stages["compute_output"].add([work.output_s for work in good])

    def refusal(self, code: str) -> None:
        """Count a request that was refused."""
        REFUSALS.labels(*self._labels, code).inc()
