"""A deleted version leaves nothing but its number, which nobody gets again."""

import time
from pathlib import Path

import pytest

from app.errors import VersionExists, VersionNotFound
from model_store.model_ref import ModelRef
from model_store.publisher import sweep_staging
from model_store.reader import ModelStore
from model_store.removal import mark_deleted, remove
from tests.factories.versions import publish_bytes


def publish_with_assets(store: ModelStore, folder: Path) -> ModelRef:
    asset = folder / "terms.txt"
    asset.write_text("one\ntwo\n")
    return publish_bytes(store, folder, samples=b'{"samples": []}', assets={"words/terms.txt": asset})


def test_a_removed_version_leaves_only_its_number(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_with_assets(store, tmp_path)

    assert remove(store, ref)

    assert (store.refs(), store.unfinished(), store.taken("tiny")) == ([], [], [ref])
    assert store.entries(ref) <= {"deleted", "claim"}
    with pytest.raises(VersionNotFound):
        store.manifest(ref)


def test_its_number_is_never_given_again(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    remove(store, ref)
    sweep_staging(store, older_than_s=-10)

    with pytest.raises(VersionExists):
        publish_bytes(store, tmp_path, version=ref.version)
    assert publish_bytes(store, tmp_path) == ModelRef("tiny", 2)


def test_the_other_versions_stay_whole(store: ModelStore, tmp_path: Path) -> None:
    first, second = publish_with_assets(store, tmp_path), publish_with_assets(store, tmp_path)

    remove(store, first)

    assert store.refs() == [second]
    store.verify(second)


def test_a_number_that_the_store_never_saw_is_kept_taken(store: ModelStore, tmp_path: Path) -> None:
    kept = publish_bytes(store, tmp_path)

    assert mark_deleted(store, ModelRef("tiny", 2))
    assert not mark_deleted(store, ModelRef("tiny", 2))
    assert not mark_deleted(store, kept)

    assert publish_bytes(store, tmp_path) == ModelRef("tiny", 3)
    store.verify(kept)


def test_removing_again_does_nothing(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    remove(store, ref)

    assert not remove(store, ref)
    assert not remove(store, ModelRef("unheard-of", 1))


def test_a_removal_that_broke_off_is_finished(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_with_assets(store, tmp_path)
    # It died when only the manifest was gone.
    store.file_system.rm_file(store.path(f"{ref}/manifest.json"))

    assert remove(store, ref)
    assert store.entries(ref) <= {"deleted", "claim"}


def test_copies_of_this_machine_go_too(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    copy = remote_store.local_folder(ref)

    remove(remote_store, ref)

    assert not copy.exists()


def test_a_swept_claim_is_not_a_deleted_version(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    remove(remote_store, ref)
    old = b'{"owner": "dead", "claimed_at": %d}' % (time.time() - 7200)
    remote_store.file_system.pipe_file(remote_store.path("tiny/2/claim"), old)

    assert sweep_staging(remote_store, older_than_s=3600) == 1
    assert remote_store.taken("tiny") == [ref]
