"""Metrics of many processes: totals never fall, files never pile up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from app.infra.metrics import collect, fold_dead_process, fold_dead_processes, merge_folder

# What a process of a service does: it counts to `amount`, observes once, sets a gauge, and says its pid.
PROCESS = """
import os, sys
from prometheus_client import Counter, Gauge, Histogram
Counter("rows", "Rows.", ["model"]).labels("digits").inc(float(sys.argv[1]))
Histogram("seconds", "Seconds.", buckets=(1.0, 2.0)).observe(1.5)
Gauge("busy", "Busy.", multiprocess_mode="livesum").set(1)
Gauge("peak", "Peak.", multiprocess_mode="max").set(float(sys.argv[1]))
print(os.getpid())
"""


def run_process(service: Path, amount: float) -> int:
    """Let a process of `service` count to `amount` and end; return its pid."""
    service.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(service)}
    command = [sys.executable, "-c", PROCESS, str(amount)]
    return int(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def sample(metrics_dir: Path, name: str) -> float | None:
    """Return the value of one line of a scrape."""
    lines = collect(metrics_dir).decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), None)


@pytest.fixture
def pids(tmp_path: Path) -> list[int]:
    return [run_process(tmp_path / "web", 2), run_process(tmp_path / "web", 3)]


def test_scrape_adds_up_processes_and_services(tmp_path: Path, pids: list[int]) -> None:
    run_process(tmp_path / "runners", 5)

    assert sample(tmp_path, 'rows_total{model="digits"}') == 10
    assert sample(tmp_path, 'seconds_bucket{le="2.0"}') == 3
    assert sample(tmp_path, "seconds_sum") == 4.5
    assert sample(tmp_path, "busy") == 3


def test_folding_keeps_totals_and_highest_values_and_drops_other_gauges(tmp_path: Path, pids: list[int]) -> None:
    before = sample(tmp_path, 'rows_total{model="digits"}'), sample(tmp_path, "seconds_count")

    for pid in pids:
        fold_dead_process(tmp_path / "web", pid)

    assert (sample(tmp_path, 'rows_total{model="digits"}'), sample(tmp_path, "seconds_count")) == before == (5, 2)
    assert sample(tmp_path, 'seconds_bucket{le="1.0"}') == 0
    assert sample(tmp_path, "busy") is None
    assert sample(tmp_path, "peak") == 3


def test_files_do_not_pile_up(tmp_path: Path, pids: list[int]) -> None:
    for pid in pids:
        fold_dead_process(tmp_path / "web", pid)

    assert {path.name for path in (tmp_path / "web").glob("*.db")} == {
        "counter_folded.db",
        "gauge_max_folded.db",
        "histogram_folded.db",
    }


def test_one_service_is_read_alone(tmp_path: Path, pids: list[int]) -> None:
    run_process(tmp_path / "runners", 5)

    merged = {sample.name: sample.value for metric in merge_folder(tmp_path / "web") for sample in metric.samples}

    assert merged["rows_total"] == 5
    assert merge_folder(tmp_path / "nothing") == []


def test_folding_twice_counts_once(tmp_path: Path, pids: list[int]) -> None:
    fold_dead_process(tmp_path / "web", pids[0])
    fold_dead_process(tmp_path / "web", pids[0])

    assert sample(tmp_path, 'rows_total{model="digits"}') == 5


def test_process_that_lives_is_not_folded(tmp_path: Path, pids: list[int]) -> None:
    living = tmp_path / "web" / f"counter_{os.getpid()}.db"
    (tmp_path / "web" / f"counter_{pids[0]}.db").rename(living)

    fold_dead_processes(tmp_path / "web")

    assert living.exists()
    assert not (tmp_path / "web" / f"counter_{pids[1]}.db").exists()
    assert sample(tmp_path, 'rows_total{model="digits"}') == 5


def test_folding_an_empty_folder_does_nothing(tmp_path: Path) -> None:
    fold_dead_process(tmp_path, 1)

    assert list(tmp_path.glob("*.db")) == []


def test_lone_process_shows_its_own(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("rows", "Rows.", registry=registry).inc(4)

    assert b"rows_total 4.0" in collect(tmp_path, registry)
    assert b"rows_total 4.0" in collect(tmp_path / "not-there", registry)


def test_file_of_a_process_that_was_killed_at_birth_harms_nothing(tmp_path: Path, pids: list[int]) -> None:
    (tmp_path / "web" / "counter_4194305.db").touch()

    assert sample(tmp_path, 'rows_total{model="digits"}') == 5
    fold_dead_processes(tmp_path / "web")

    assert sample(tmp_path, 'rows_total{model="digits"}') == 5
    assert not (tmp_path / "web" / "counter_4194305.db").exists()
