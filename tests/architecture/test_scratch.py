"""Tests keep their files in memory only where there is room, and only without the long ones; and leave none."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest

from app.run_dir import short_run_dir
from tests import scratch


@pytest.fixture(autouse=True)
def _own_tempdir_after() -> Iterator[None]:
    """Give this run's own folder back its place."""
    with mock.patch.object(tempfile, "tempdir", tempfile.gettempdir()):
        yield


def configured(*, marks: str = "not long") -> pytest.Config:
    """Return what pytest hands to its hooks, in the process that begins a run."""
    return cast(pytest.Config, SimpleNamespace(option=SimpleNamespace(markexpr=marks), stash=pytest.Stash()))


def root_of(monkeypatch: pytest.MonkeyPatch, folder: Path, *, marks: str = "not long", variables: Any = None) -> Any:
    """Return where pytest is told to make its folders, when `folder` stands for memory."""
    environment: dict[str, str] = dict(variables or {})
    monkeypatch.setattr(scratch.os, "environ", environment)
    monkeypatch.setattr(scratch, "MEMORY", folder)
    config = configured(marks=marks)
    scratch.pytest_configure(config)
    scratch.pytest_unconfigure(config)
    return environment.get(scratch.ROOT_VARIABLE)


def test_memory_is_taken_where_it_has_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch, "ROOM_BYTES", 1)

    assert root_of(monkeypatch, tmp_path) == str(tmp_path)
    assert root_of(monkeypatch, tmp_path, variables={scratch.ROOT_VARIABLE: "/elsewhere"}) == "/elsewhere"


def test_disk_is_taken_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    disk = tempfile.gettempdir()
    monkeypatch.setattr(scratch, "ROOM_BYTES", 1)
    assert root_of(monkeypatch, tmp_path, marks="long") == disk
    assert root_of(monkeypatch, tmp_path, marks="") == disk
    assert root_of(monkeypatch, tmp_path / "nowhere") == disk

    monkeypatch.setattr(scratch, "ROOM_BYTES", 2**62)
    assert root_of(monkeypatch, tmp_path) == disk


def test_what_is_made_for_a_while_goes_with_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch.os, "environ", {})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = configured()

    scratch.pytest_configure(config)
    (made,) = tmp_path.iterdir()
    run_dir = short_run_dir(tmp_path / "a folder whose path is too long for the sockets that lie below it")
    run_dir.mkdir()

    assert run_dir.parent == made
    assert Path(scratch.os.environ[scratch.TEMP_VARIABLE]) == made
    scratch.pytest_unconfigure(config)
    assert not list(tmp_path.iterdir())
