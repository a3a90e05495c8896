"""The newest backups stay, and nothing else that looks like one is touched."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.backup.archive import SUMS_FILE, Archive, finished, unfinished
from deploy.backup.retention import sweep, sweep_unfinished
from tests.factories.saved_sites import NOW


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder with four backups, one that broke off, and what is somebody else's."""
    for days in (3, 1, 4, 2):
        folder = Archive(tmp_path, NOW + timedelta(days=days)).folder
        (folder / SUMS_FILE).touch()
        folder.rename(folder.with_name(folder.name.removeprefix(".")))
    Archive(tmp_path, NOW)
    (tmp_path / "galley-mine").mkdir()
    return tmp_path


@pytest.mark.parametrize(("keep", "left"), [(0, [5, 6, 7, 8]), (1, [8]), (3, [6, 7, 8]), (9, [5, 6, 7, 8])])
def test_the_newest_stay(target: Path, keep: int, left: list[int]) -> None:
    removed = sweep(target, keep=keep)

    assert [folder.name[:15] for folder in finished(target)] == [f"galley-202605{day:02}" for day in left]
    assert len(removed) == 4 - len(left)
    assert (target / "galley-mine").is_dir()


def test_what_broke_off_goes(target: Path) -> None:
    sweep_unfinished(target)

    assert unfinished(target) == []
    assert len(finished(target)) == 4
