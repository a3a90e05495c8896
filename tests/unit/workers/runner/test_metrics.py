"""A runner counts under its model and version."""

from prometheus_client import REGISTRY

from model_store.model_ref import ModelRef
from workers.runner.metrics import RunnerMetrics


def sample(name: str, **labels: str) -> float:
    """Return a metric of the version counted/3."""
    return REGISTRY.get_sample_value(name, {"model": "counted", "version": "3", **labels}) or 0.0


def test_counts_rows_batches_and_refusals() -> None:
    metrics = RunnerMetrics(ModelRef("counted", 3))

    metrics.batch(4)
    metrics.row(queue_s=0.02, compute_s=0.2)
    metrics.row(queue_s=0.02, compute_s=0.2, failure="unreadable_image")
    metrics.refusal("queue_full")

    assert sample("galley_runner_batches_total") == 1.0
    assert sample("galley_runner_batch_rows_sum") == 4.0
    assert sample("galley_runner_rows_total", outcome="ok") == 1.0
    assert sample("galley_runner_rows_total", outcome="unreadable_image") == 1.0
    assert sample("galley_runner_compute_seconds_bucket", le="0.1") == 0.0
    assert sample("galley_runner_compute_seconds_bucket", le="0.25") == 2.0
    assert sample("galley_runner_refusals_total", code="queue_full") == 1.0
