"""Where folders cannot be renamed: a claim decides, the manifest publishes, and what died is swept."""

import errno
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
    store.file_system.pipe_file(store.path(f"{ref}/claim"), b'{"owner": "dead", "claimed_at": %d}' % claimed_at)
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


def test_a_store_may_say_in_its_own_words_that_a_claim_exists(remote_store: ModelStore, tmp_path: Path) -> None:
    def refuse_late(path: str, *_args: object, **_options: object) -> None:
        """Lose the race after the numbers were looked at, as S3 says it."""
        pipe_file(path, b'{"owner": "faster", "claimed_at": 1}')
        raise OSError(errno.EINVAL, "PreconditionFailed")

    pipe_file = remote_store.file_system.pipe_file
    with mock.patch.object(remote_store.file_system, "pipe_file", refuse_late), pytest.raises(VersionExists):
        publish_bytes(remote_store, tmp_path, version=1)


def test_a_claim_whose_answer_got_lost_is_still_ones_own(remote_store: ModelStore, tmp_path: Path) -> None:
    def repeat(path: str, data: bytes, mode: str = "overwrite") -> None:
        """Write, lose the answer, write again and be told that the file exists."""
        pipe_file(path, data)
        if mode == "create":
            raise FileExistsError(path)

    pipe_file = remote_store.file_system.pipe_file
    with mock.patch.object(remote_store.file_system, "pipe_file", repeat):
        ref = publish_bytes(remote_store, tmp_path, version=1)
    remote_store.verify(ref)


def test_a_claim_that_cannot_be_written_is_an_outage(remote_store: ModelStore, tmp_path: Path) -> None:
    broken = mock.patch.object(remote_store.file_system, "pipe_file", side_effect=PermissionError(13, "Access denied"))
    with broken, pytest.raises(StoreUnreachable, match="Access denied"):
        publish_bytes(remote_store, tmp_path, version=1)

    assert remote_store.taken("tiny") == []
