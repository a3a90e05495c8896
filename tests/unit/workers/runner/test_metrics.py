"""A runner counts under its model and version."""

import time

import pytest
from prometheus_client import REGISTRY

from app.errors import GalleyError, InvalidTensor
from app.inference.messages import InferRequest
from model_store.model_ref import ModelRef
from workers.runner.batch import Execution, Work
from workers.runner.calls import Call
from workers.runner.metrics import RunnerMetrics


def sample(name: str, **labels: str) -> float:
    """Return a metric of the version counted/3."""
    return REGISTRY.get_sample_value(name, {"model": "counted", "version": "3", **labels}) or 0.0


def make_work(answer: bytes | GalleyError) -> Work:
    """Return a row that was queued at 100.0 and took 0.2 s of work."""
    (row,) = Call(b"caller", InferRequest(call_id=1, deadline=999.0), [b"row"], parameters=None).rows
    row.queued_at = 100.0
    return Work(row, 100.1, answer=answer, input_s=0.05, infer_s=0.125, output_s=0.025)


@pytest.fixture
def metrics() -> RunnerMetrics:
    return RunnerMetrics(ModelRef("counted", 3))


def test_counts_rows_and_refusals(metrics: RunnerMetrics) -> None:
    before = sample("galley_runner_compute_seconds_bucket", le="0.25")

    metrics.answered([make_work(b"good"), make_work(InvalidTensor("bad"))], 100.5)
    metrics.refusal("queue_full")

    assert sample("galley_runner_rows_total", outcome="ok") >= 1.0
    assert sample("galley_runner_rows_total", outcome="invalid_tensor") >= 1.0
    assert sample("galley_runner_compute_seconds_bucket", le="0.1") == 0.0
    assert sample("galley_runner_compute_seconds_bucket", le="0.25") == before + 2.0
    assert sample("galley_runner_refusals_total", code="queue_full") >= 1.0


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [("success", 0.5), ("queue", 0.3), ("compute_input", 0.05), ("compute_infer", 0.125), ("compute_output", 0.025)],
)
def test_counts_the_stages_of_good_rows(metrics: RunnerMetrics, stage: str, seconds: float) -> None:
    rows = sample("galley_runner_stage_total", stage=stage)
    total = sample("galley_runner_stage_seconds_total", stage=stage)

    metrics.answered([make_work(b"good"), make_work(b"good"), make_work(InvalidTensor("bad"))], 100.5)

    assert sample("galley_runner_stage_total", stage=stage) == rows + 2.0
    assert sample("galley_runner_stage_seconds_total", stage=stage) == pytest.approx(total + 2 * seconds)


def test_a_failed_row_counts_as_such(metrics: RunnerMetrics) -> None:
    before = sample("galley_runner_stage_seconds_total", stage="fail")

    metrics.answered([make_work(InvalidTensor("bad"))], 100.5)

    assert sample("galley_runner_stage_seconds_total", stage="fail") == pytest.approx(before + 0.5)


def test_a_batch_without_rows_is_no_call_of_the_model(metrics: RunnerMetrics) -> None:
    before = sample("galley_runner_batches_total")

    metrics.executed([Execution(0, 0.1, 0.2, 0.3)])

    assert sample("galley_runner_batches_total") == before
    assert REGISTRY.get_sample_value("galley_runner_batch_size_total", {"batch_size": "0"}) is None


def test_counts_batches_by_their_size(metrics: RunnerMetrics) -> None:
    now_ms = time.time_ns() // 1_000_000

    metrics.executed([Execution(4, 0.1, 0.2, 0.3), Execution(4, 0.1, 0.2, 0.3), Execution(1, 0.1, 0.2, 0.3)])

    assert sample("galley_runner_batches_total") == 3.0
    assert sample("galley_runner_batch_rows_sum") == 9.0
    assert sample("galley_runner_batch_size_total", batch_size="4") == 2.0
    assert sample("galley_runner_batch_seconds_total", batch_size="4", stage="compute_infer") == pytest.approx(0.4)
    assert sample("galley_runner_batch_seconds_total", batch_size="1", stage="compute_output") == pytest.approx(0.3)
    assert sample("galley_runner_last_inference_ms") >= now_ms
