"""Uploads lie in folders of their jobs, and go with them."""

import os
import shutil
import time
from pathlib import Path

import pytest

from app.errors import UnreadableBody
from app.services.quarantine import Quarantine, quarantine_of


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return quarantine_of(tmp_path)


def put(quarantine: Quarantine, job_id: str, *, age_s: float = 0.0) -> Path:
    with quarantine.receiving(job_id) as folder:
        (folder / "model.pt").write_bytes(b"weights")
    then = time.time() - age_s
    os.utime(folder, (then, then))
    return folder


def test_upload_stays_and_is_nobody_elses(quarantine: Quarantine) -> None:
    folder = put(quarantine, "one")

    assert folder == quarantine.folder("one")
    assert (folder / "model.pt").read_bytes() == b"weights"
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("error", [UnreadableBody("broken"), KeyboardInterrupt()])
def test_broken_upload_leaves_nothing(quarantine: Quarantine, error: BaseException) -> None:
    def receive() -> None:
        with quarantine.receiving("one") as folder:
            (folder / "assets").mkdir()
            (folder / "assets" / "half").write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        receive()
    assert list(quarantine.root.iterdir()) == []


def test_removing_again_does_nothing(quarantine: Quarantine) -> None:
    put(quarantine, "one")
    quarantine.remove("one")
    quarantine.remove("one")

    assert not quarantine.folder("one").exists()


def test_two_may_remove_an_upload_at_once(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client deletes a job in the moment in which its worker tidies up."""
    folder = put(quarantine, "one")
    (folder / "assets").mkdir()
    remove = shutil.rmtree

    def be_overtaken(path: Path) -> None:
        monkeypatch.setattr(shutil, "rmtree", remove)
        (path / "model.pt").unlink()
        raise FileNotFoundError(path / "model.pt")

    monkeypatch.setattr(shutil, "rmtree", be_overtaken)
    quarantine.remove("one")

    assert not folder.exists()


def test_sweep_takes_old_uploads_that_nobody_needs(quarantine: Quarantine) -> None:
    for job_id, age_s in (("new", 0.0), ("old", 7200.0), ("needed", 7200.0)):
        put(quarantine, job_id, age_s=age_s)

    assert quarantine.sweep(frozenset({"needed"}), older_than_s=3600) == 1
    assert sorted(folder.name for folder in quarantine.root.iterdir()) == ["needed", "new"]


def test_sweep_of_no_quarantine_finds_nothing(quarantine: Quarantine) -> None:
    assert quarantine.sweep(frozenset(), older_than_s=0) == 0
