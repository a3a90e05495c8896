"""Forgetting: what was counted of deleted versions goes, all else stays to the last digit."""

import fcntl
from pathlib import Path

import pytest

from app.infra.metric_folding import fold_dead_process, fold_dead_processes
from app.infra.metric_forgetting import forget_versions
from app.infra.metrics import MetricsReader
from tests.factories.metric_files import leave_files, leave_release

SERVICE = "runners"
RELEASES = 1000


def counted(metrics_dir: Path) -> dict[str, float]:
    """Return the values of all series."""
    return {series.line.strip(): value for series, value in MetricsReader().samples([metrics_dir / SERVICE])}


def release(metrics_dir: Path, version: int) -> None:
    """Have a runner of a version count, and end."""
    fold_dead_process(metrics_dir / SERVICE, leave_release(metrics_dir / SERVICE, version))


def test_deleted_versions_go_and_all_others_stay_exact(tmp_path: Path) -> None:
    fold_dead_process(tmp_path / SERVICE, leave_files(tmp_path / SERVICE, 5))
    release(tmp_path, 1)
    before = counted(tmp_path)
    release(tmp_path, 2)

    assert forget_versions(tmp_path, {("digits", "2"), ("tiny", "1")}) == 4
    assert counted(tmp_path) == before


@pytest.mark.long
def test_series_stay_bounded_over_a_year_of_releases(tmp_path: Path) -> None:
    sizes = set()
    for version in range(1, RELEASES + 1):
        release(tmp_path, version)
        forget_versions(tmp_path, {("digits", str(version - 2))})
        sizes.add(len(counted(tmp_path)))

    assert max(sizes) <= 2 * min(sizes)
    assert sum((tmp_path / SERVICE / f"{kind}_folded.db").stat().st_size for kind in ("counter", "histogram")) < 2**22


def test_what_living_processes_count_is_left_to_them(tmp_path: Path) -> None:
    leave_release(tmp_path / SERVICE, 1)
    before = counted(tmp_path)

    assert forget_versions(tmp_path, {("digits", "1")}) == 0
    assert counted(tmp_path) == before


def test_a_fold_after_it_counts_once(tmp_path: Path) -> None:
    release(tmp_path, 1)
    release(tmp_path, 2)
    forget_versions(tmp_path, {("digits", "1")})
    before = counted(tmp_path)
    fold_dead_processes(tmp_path / SERVICE)

    assert counted(tmp_path) == before


def test_a_folder_in_use_is_left_for_the_next_time(tmp_path: Path) -> None:
    release(tmp_path, 1)
    before = counted(tmp_path)
    with (tmp_path / SERVICE / ".lock").open("a") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)

        assert forget_versions(tmp_path, {("digits", "1")}, patience_s=0.0) == 0
    assert counted(tmp_path) == before
