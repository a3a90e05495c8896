"""Where folders cannot be renamed: a claim decides, the manifest publishes, and what died is swept."""

import time
from pathlib import Path
from unittest import mock

import pytest

from app.errors import StoreUnreachable, VersionExists
from model_store.model_ref import ModelRef
from model_store.publisher import sweep_staging
from model_store.reader import ModelStore
from tests.factories.versions import publish_bytes


def claim(store: ModelStore, ref: ModelRef, claimed_at: float) -> None:
    """Leave what a publisher leaves that died while it sent its files."""
    store.file_system.pipe_file(store.path(f"{ref}/claim"), b'{"claimed_at": %d}' % claimed_at)
    store.file_system.pipe_file(store.path(f"{ref}/model.pt"), b"half")


def test_a_claimed_number_is_taken_but_not_published(remote_store: ModelStore, tmp_path: Path) -> None:
    claim(remote_store, ModelRef("tiny", 1), time.time())

    assert remote_store.refs() == []
    with pytest.raises(VersionExists):
        publish_bytes(remote_store, tmp_path, version=1)
    assert publish_bytes(remote_store, tmp_path) == ModelRef("tiny", 2)


def test_a_sweep_frees_numbers_whose_publisher_died(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    claim(remote_store, ModelRef("tiny", 2), time.time() - 7200)
    claim(remote_store, ModelRef("tiny", 3), time.time())

    assert sweep_staging(remote_store, older_than_s=3600) == 1
    assert remote_store.taken("tiny") == [ref, ModelRef("tiny", 3)]


def test_a_sweep_leaves_files_that_galley_did_not_write(remote_store: ModelStore) -> None:
    remote_store.file_system.pipe_file(remote_store.path("notes/1/text.txt"), b"mine")

    assert sweep_staging(remote_store, older_than_s=-10) == 0
    assert remote_store.file_system.cat_file(remote_store.path("notes/1/text.txt")) == b"mine"


def test_a_failed_upload_frees_its_number(remote_store: ModelStore, tmp_path: Path) -> None:
    broken = mock.patch.object(
        type(remote_store.file_system), "put_file", side_effect=OSError(28, "No space left on device")
    )
    with broken, pytest.raises(StoreUnreachable, match="No space left"):
        publish_bytes(remote_store, tmp_path, version=1)

    assert remote_store.taken("tiny") == []
    assert publish_bytes(remote_store, tmp_path, version=1) == ModelRef("tiny", 1)
