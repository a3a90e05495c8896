"""Statistics of versions, read from what real processes counted, living and dead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.infra.metric_folding import fold_dead_process
from app.services.statistics import StatisticsService, Total, VersionStatistics
from model_store.model_ref import ModelRef

# What a runner's process counts: one batch of two rows per call, and when the last one was.
PROCESS = """
import os, sys
from prometheus_client import Counter, Gauge
labels = ("model", "version")
name = ("digits", "1")
stages = Counter("galley_runner_stage", "Stages.", (*labels, "stage"))
seconds = Counter("galley_runner_stage_seconds", "Seconds.", (*labels, "stage"))
sizes = Counter("galley_runner_batch_size", "Batches.", (*labels, "batch_size"))
of_batches = Counter("galley_runner_batch_seconds", "Seconds.", (*labels, "batch_size", "stage"))
last = Gauge("galley_runner_last_inference_ms", "Last.", labels, multiprocess_mode="max")
for _ in range(int(sys.argv[1])):
    for stage in ("success", "queue", "compute_infer"):
        stages.labels(*name, stage).inc()
        seconds.labels(*name, stage).inc(0.25)
    sizes.labels(*name, 2).inc()
    of_batches.labels(*name, 2, "compute_infer").inc(0.125)
last.labels(*name).set(float(sys.argv[2]))
print(os.getpid())
"""
REF = ModelRef("digits", 1)


def run_runner(folder: Path, calls: int, *, last_ms: int) -> int:
    """Let a runner's process answer `calls` and end; return its pid."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", PROCESS, str(calls), str(last_ms)]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


@pytest.fixture
def service(tmp_path: Path) -> StatisticsService:
    return StatisticsService(tmp_path / "runners", tmp_path / "celery")


def test_nothing_has_run_before_there_are_files(service: StatisticsService) -> None:
    statistics = service.read()

    assert not statistics.has(REF)
    assert statistics.of(REF) == VersionStatistics()
    assert (statistics.of(REF).inference_count, statistics.of(REF).execution_count) == (0, 0)


def test_all_processes_count_the_dead_ones_too(tmp_path: Path, service: StatisticsService) -> None:
    first = run_runner(tmp_path / "runners", 3, last_ms=2000)
    run_runner(tmp_path / "runners", 5, last_ms=1000)
    before = service.read().of(REF)

    fold_dead_process(tmp_path / "runners", first)
    version = service.read().of(REF)

    assert version == before
    assert version.stage("success") == Total(8, 2_000_000_000)
    assert (version.inference_count, version.execution_count) == (16, 8)
    assert version.batches[2].total("compute_infer") == Total(8, 1_000_000_000)
    assert version.last_inference_ms == 2000


def test_stages_that_never_were_are_zero(tmp_path: Path, service: StatisticsService) -> None:
    run_runner(tmp_path / "runners", 1, last_ms=1)
    version = service.read().of(REF)

    assert version.stage("fail") == Total(0, 0)
    assert version.batches[2].total("compute_output") == Total(1, 0)


def test_what_is_counted_after_a_reading_shows_in_the_next(tmp_path: Path, service: StatisticsService) -> None:
    run_runner(tmp_path / "runners", 1, last_ms=1)
    assert service.read().of(REF).execution_count == 1

    run_runner(tmp_path / "runners", 1, last_ms=1)

    assert service.read().of(REF).execution_count == 2


def test_other_versions_have_statistics_of_their_own(tmp_path: Path, service: StatisticsService) -> None:
    run_runner(tmp_path / "runners", 1, last_ms=1)

    assert service.read().of(ModelRef("digits", 2)) == VersionStatistics()


def test_what_celery_ran_counts_with_what_runners_did(tmp_path: Path, service: StatisticsService) -> None:
    run_runner(tmp_path / "runners", 1, last_ms=1000)
    run_runner(tmp_path / "celery", 2, last_ms=2000)

    version = service.read().of(REF)

    assert (version.stage("success").count, version.execution_count, version.last_inference_ms) == (3, 3, 2000)
