"""The disk of VAR_DIR and that of the files of jobs are measured each by itself."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.doctor.checks import disks
from tests.factories.doctor import make_case, the_one
from tests.factories.small_disk import small_disk

Usage = namedtuple("Usage", "total used free")
GIB = 2**30
Having = Callable[[float], None]


@pytest.fixture
def having(monkeypatch: pytest.MonkeyPatch) -> Having:
    """Let every disk have so many GiB free."""
    return lambda gib: monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100 * GIB, 0, int(gib * GIB)))


@pytest.mark.parametrize(("gib", "verdict"), [(0.01, "error"), (0.5, "warning"), (6, "ok")])
def test_a_server_needs_room(tmp_path: Path, having: Having, gib: float, verdict: str) -> None:
    having(gib)

    assert the_one(disks.room(make_case(tmp_path))).verdict == verdict


@pytest.mark.parametrize(("gib", "verdict"), [(0.5, "error"), (3, "warning"), (6, "ok")])
def test_jobs_need_room(tmp_path: Path, having: Having, gib: float, verdict: str) -> None:
    having(gib)
    case = make_case(tmp_path, job_disk_reserve=GIB, max_job_bytes=4 * GIB)

    assert the_one(disks.job_room(case)).verdict == verdict


def test_a_bucket_is_no_disk(tmp_path: Path, having: Having) -> None:
    having(0)

    assert the_one(disks.job_room(make_case(tmp_path, jobs_url="s3://bucket/jobs"))).verdict == "ok"


@pytest.mark.parametrize("is_url", [False, True])
def test_the_full_disk_of_jobs_is_told_of_and_not_that_of_var_dir(tmp_path: Path, is_url: bool) -> None:
    with small_disk(tmp_path / "full", "100k") as full:
        jobs_url = f"{'file://' if is_url else ''}{full.folder / 'jobs'}"
        case = make_case(tmp_path, jobs_url=jobs_url)
        found = [the_one(check(case)) for check in (disks.room, disks.job_room)]

    assert found[0].verdict != "error"
    assert found[1].verdict == "error"
    assert str(full.folder) in found[1].says


def test_the_full_disk_of_var_dir_is_told_of_and_not_that_of_jobs(tmp_path: Path) -> None:
    with small_disk(tmp_path / "full", "100k") as full:
        case = make_case(full.folder, jobs_url=str(tmp_path / "jobs"), job_disk_reserve=0, max_job_bytes=1)
        verdicts = [the_one(check(case)).verdict for check in (disks.room, disks.job_room)]

    assert verdicts == ["error", "ok"]
