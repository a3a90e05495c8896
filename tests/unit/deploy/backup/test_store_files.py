"""Versions come into a backup whole, damage is noticed, and they come back as they were."""

from pathlib import Path

import pytest

from deploy.backup.archive import Archive
from deploy.backup.store_files import SavedVersions, put_versions_back
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore, open_store
from model_store.removal import remove
from tests.factories.saved_sites import NOW
from tests.factories.versions import publish_bytes


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    url = str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}/store"
    return open_store(url, tmp_path / "cache")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "backups", NOW)


def test_versions_come_back_as_they_were(store: ModelStore, archive: Archive, tmp_path: Path) -> None:
    asset = tmp_path / "terms.txt"
    asset.write_text("one")
    refs = [publish_bytes(store, tmp_path, assets={"words/terms.txt": asset}), publish_bytes(store, tmp_path)]
    digests = [store.digest(ref) for ref in refs]
    saved = SavedVersions(store, archive)
    saved.copy_new()
    other = open_store(str(tmp_path / "other"), tmp_path / "cache")

    assert put_versions_back(archive.folder, refs, other) == 2

    assert other.refs() == refs
    assert [other.digest(ref) for ref in refs] == digests
    for ref in refs:
        other.verify(ref)
    assert put_versions_back(archive.folder, refs, other) == 0


def test_another_version_of_that_number_goes(store: ModelStore, archive: Archive, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path, artifact=b"saved")
    saved = SavedVersions(store, archive)
    saved.copy_new()
    digest = store.digest(ref)
    store.file_system.rm(store.path("tiny"), recursive=True)
    assert publish_bytes(store, tmp_path, artifact=b"published since") == ref

    assert put_versions_back(archive.folder, [ref], store) == 1

    assert store.digest(ref) == digest
    store.verify(ref)


def test_what_was_copied_is_not_copied_again(store: ModelStore, archive: Archive, tmp_path: Path) -> None:
    first = publish_bytes(store, tmp_path)
    saved = SavedVersions(store, archive)
    saved.copy_new()
    written = (archive.folder / "store/tiny/1/model.pt").stat().st_mtime_ns
    second = publish_bytes(store, tmp_path)

    saved.copy_new()

    assert saved.refs == {first, second}
    assert (archive.folder / "store/tiny/1/model.pt").stat().st_mtime_ns == written


def test_a_version_that_is_deleted_is_left_out(store: ModelStore, archive: Archive, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    saved = SavedVersions(store, archive)
    saved.copy_new()
    saved.forget(ref)
    remove(store, ref)

    saved.copy_new()

    assert saved.refs == frozenset()
    assert not (archive.folder / "store").exists()


def test_one_that_goes_while_it_is_copied_is_left_out(
    store: ModelStore, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = publish_bytes(store, tmp_path)
    copy = archive.add

    def copy_and_remove(*arguments: object) -> object:
        entry = copy(*arguments)
        remove(store, ref)
        return entry

    monkeypatch.setattr(archive, "add", copy_and_remove)
    saved = SavedVersions(store, archive)
    saved.copy_new()

    assert saved.refs == frozenset()
    assert not (archive.folder / "store").exists()


@pytest.mark.parametrize("name", ["model.pt", "manifest.json"])
def test_damage_in_the_store_is_noticed(store: ModelStore, archive: Archive, tmp_path: Path, name: str) -> None:
    publish_bytes(store, tmp_path)
    bad = publish_bytes(store, tmp_path)
    path = store.path(f"tiny/{bad.version}/{name}")
    store.file_system.rm(path)
    store.file_system.pipe_file(path, b"rot")
    saved = SavedVersions(store, archive)

    saved.copy_new()

    assert saved.damaged() == [ModelRef("tiny", 2)]
