"""Folding: totals never fall, files never pile up, and nothing is counted twice."""

import fcntl
import logging
import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from prometheus_client.mmap_dict import MmapedDict

from app.infra.metric_folding import fold_dead_process, fold_dead_processes
from app.infra.metrics import MetricsReader
from tests.factories.metric_files import leave_files


@pytest.fixture
def web(tmp_path: Path) -> Path:
    return tmp_path / "web"


@pytest.fixture
def pids(web: Path) -> list[int]:
    return [leave_files(web, 2), leave_files(web, 3)]


def values(web: Path) -> Mapping[str, float]:
    """Return the values of all series: of a histogram, what fell into each bucket."""
    return {series.line.strip(): value for series, value in MetricsReader().samples([web])}


def rows(web: Path) -> float:
    """Return what the processes counted."""
    return values(web)['rows_total{model="digits"}']


def test_folding_keeps_what_lasts_and_drops_other_gauges(web: Path, pids: list[int]) -> None:
    before = values(web)

    for pid in pids:
        fold_dead_process(web, pid)

    assert {name: before[name] for name in before if name not in {"busy", "budget"}} == values(web)


def test_the_newest_value_lasts_whoever_is_folded_last(web: Path, pids: list[int]) -> None:
    for pid in reversed(pids):
        fold_dead_process(web, pid)

    assert values(web)["broken"] == 3


def test_files_do_not_pile_up(web: Path, pids: list[int]) -> None:
    for pid in pids:
        fold_dead_process(web, pid)

    kinds = ("counter", "gauge_max", "gauge_mostrecent", "histogram")
    assert {path.name for path in web.iterdir()} == {".lock", *(f"{kind}_folded.db" for kind in kinds)}


def test_folding_twice_counts_once(web: Path, pids: list[int]) -> None:
    fold_dead_process(web, pids[0])
    fold_dead_process(web, pids[0])

    assert rows(web) == 5


def test_a_fold_that_ends_before_the_new_file_is_in_place_counts_once(web: Path, pids: list[int]) -> None:
    with mock.patch.object(Path, "replace", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        fold_dead_process(web, pids[0])
    fold_dead_processes(web)

    assert rows(web) == 5


def test_a_fold_that_ends_before_the_dead_file_is_gone_counts_once(web: Path, pids: list[int]) -> None:
    lost = web / f"counter_{pids[0]}.db"
    copy = web / "copy"
    copy.hardlink_to(lost)
    fold_dead_process(web, pids[0])
    # The same file, as if it had never been unlinked.
    copy.rename(lost)
    fold_dead_processes(web)

    assert rows(web) == 5
    assert not lost.exists()


def test_process_that_lives_is_not_folded(web: Path, pids: list[int]) -> None:
    living = web / f"counter_{os.getpid()}.db"
    (web / f"counter_{pids[0]}.db").rename(living)

    fold_dead_processes(web)

    assert living.exists()
    assert not (web / f"counter_{pids[1]}.db").exists()
    assert rows(web) == 5


def test_another_process_with_the_number_of_a_dead_one_is_not_taken_for_it(web: Path, pids: list[int]) -> None:
    taken = web / f"counter_{os.getpid()}.db"
    (web / f"counter_{pids[0]}.db").rename(taken)
    os.utime(taken, (1.0, 1.0))

    fold_dead_processes(web)

    assert not taken.exists()
    assert rows(web) == 5


def test_process_that_has_counted_nothing_for_long_is_not_folded(web: Path) -> None:
    own = web / f"counter_{os.getpid()}.db"
    web.mkdir()
    with closing(MmapedDict(str(own))):
        os.utime(own, (1.0, 1.0))
        fold_dead_processes(web)

        assert own.exists()


def test_nobody_waits_for_a_stuck_reader(web: Path, pids: list[int], caplog: pytest.LogCaptureFixture) -> None:
    begun = time.monotonic()
    with (web / ".lock").open("a") as lock, caplog.at_level(logging.WARNING):
        fcntl.flock(lock, fcntl.LOCK_SH)
        fold_dead_process(web, pids[0], patience_s=0.05)

    assert time.monotonic() - begun < 30
    assert "is folded later" in caplog.text
    assert (web / f"counter_{pids[0]}.db").exists()
    fold_dead_processes(web)
    assert not (web / f"counter_{pids[0]}.db").exists()
    assert rows(web) == 5


def test_folding_an_empty_folder_does_nothing(tmp_path: Path) -> None:
    fold_dead_process(tmp_path, 1)

    assert list(tmp_path.glob("*.db")) == []


def test_file_of_a_process_that_was_killed_at_birth_harms_nothing(web: Path, pids: list[int]) -> None:
    (web / "counter_4194305.db").touch()

    assert rows(web) == 5
    fold_dead_processes(web)

    assert rows(web) == 5
    assert not (web / "counter_4194305.db").exists()
