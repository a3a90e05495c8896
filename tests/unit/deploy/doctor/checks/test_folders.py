"""Folders that are closed, small, slow or somebody else's are named; to look leaves nothing behind."""

import os
import shutil
from collections import namedtuple
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy.doctor.checks import folders
from deploy.doctor.finding import Finding, Verdict
from tests.factories.doctor import make_case, the_one

Usage = namedtuple("Usage", "total used free")
GIB = 2**30


def verdict_of(findings: Iterable[Finding]) -> str:
    return the_one(findings).verdict.value


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What every disk has, in bytes."""
    disk = {"total": 100 * GIB, "free": 50 * GIB}
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(disk["total"], 0, disk["free"]))
    return disk


def test_a_folder_that_is_still_to_be_made_will_do(tmp_path: Path) -> None:
    case = make_case(tmp_path)

    assert [verdict_of(check(case)) for check in (folders.var_dir, folders.syncing, folders.file_clock)] == ["ok"] * 3
    assert not case.settings.var_dir.exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")

    assert verdict_of(folders.var_dir(make_case(tmp_path))) == "error"


def test_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    assert verdict_of(folders.var_dir(make_case(tmp_path))) == "error"


def test_a_path_that_supervisord_cannot_take_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    folder.mkdir()

    assert verdict_of(folders.var_dir(make_case(folder))) == "error"


def test_a_disk_that_keeps_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)

    finding = the_one(folders.syncing(make_case(tmp_path)))
    assert finding.verdict is Verdict.ERROR
    assert "Input/output error" in finding.says
    assert list(tmp_path.glob(".doctor-*")) == []


def test_a_slow_disk_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "SLOW_SYNC_S", 0.0)

    assert verdict_of(folders.syncing(make_case(tmp_path))) == "warning"


@pytest.mark.parametrize(("mib", "verdict"), [(100, "warning"), (2000, "ok")])
def test_temporary_files_need_room(tmp_path: Path, free: dict[str, int], mib: int, verdict: str) -> None:
    free["free"] = mib * 2**20

    assert verdict_of(folders.temporary(make_case(tmp_path))) == verdict


@pytest.mark.parametrize(("mib", "verdict"), [(64, "warning"), (1000, "ok")])
def test_containers_share_little_memory(tmp_path: Path, free: dict[str, int], mib: int, verdict: str) -> None:
    free["total"] = mib * 2**20

    assert verdict_of(folders.shared_memory(make_case(tmp_path), tmp_path)) == verdict


def test_sockets_of_another_user_are_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path)
    case.settings.run_dir.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: case.settings.run_dir.stat().st_uid + 1)

    assert verdict_of(folders.run_dir(case)) == "error"


def test_sockets_may_lie_elsewhere(tmp_path: Path) -> None:
    near, far = (make_case(tmp_path, run_dir=tmp_path / name) for name in ("var/run", "elsewhere"))

    assert [verdict_of(folders.run_dir(case)) for case in (near, far)] == ["ok", "warning"]


def test_files_of_another_time_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders.time, "time", lambda: 1e9)

    finding = the_one(folders.file_clock(make_case(tmp_path)))
    assert finding.verdict is Verdict.WARNING
