"""A store lists what is published, trusts only what its hashes say, and brings remote versions here once."""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from app.errors import DigestMismatch, InvalidManifest, MissingFile, StoreUnreachable, StrayFile, VersionNotFound
from model_store.files import move_folder
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore, open_store
from tests.factories.versions import publish_bytes

GONE = ModelRef("tiny", 9)


def overwrite(store: ModelStore, relative: str, data: bytes) -> None:
    """Change a published file behind the store's back."""
    if store.is_local:
        Path(store.path(relative)).chmod(0o644)
    store.file_system.pipe_file(store.path(relative), data)


def test_an_empty_store_has_no_versions(store: ModelStore) -> None:
    assert store.refs() == []


def test_versions_are_listed_in_order(store: ModelStore, tmp_path: Path) -> None:
    for name, version in (("b", 1), ("a", 10), ("a", 9)):
        publish_bytes(store, tmp_path, name=name, version=version)

    assert list(map(str, store.refs())) == ["a/9", "a/10", "b/1"]


def test_what_is_no_version_is_not_listed(store: ModelStore, tmp_path: Path) -> None:
    publish_bytes(store, tmp_path)
    for stray in (
        "README",
        "tiny/notes.txt",
        "tiny/2/model.pt",
        "tiny/latest/manifest.json",
        ".staging/x/manifest.json",
    ):
        store.file_system.makedirs(store.path(stray).rpartition("/")[0], exist_ok=True)
        store.file_system.pipe_file(store.path(stray), b"{}")

    assert store.refs() == [ModelRef("tiny", 1)]


def test_a_version_that_is_not_there_is_not_found(store: ModelStore) -> None:
    for read in (store.manifest, store.digest, store.verify, store.local_folder):
        with pytest.raises(VersionNotFound, match="no version or alias '9'"):
            read(GONE)


def test_the_digest_changes_with_the_artifact(store: ModelStore, tmp_path: Path) -> None:
    first, second = (publish_bytes(store, tmp_path, artifact=data) for data in (b"one", b"two"))

    assert store.digest(first) != store.digest(second)


def test_a_manifest_of_another_version_is_refused(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    other = publish_bytes(store, tmp_path)
    overwrite(store, "tiny/1/manifest.json", store.file_system.cat_file(store.path("tiny/2/manifest.json")))

    with pytest.raises(InvalidManifest, match=f"of {ref} says it is {other}"):
        store.manifest(ref)


def test_an_untouched_version_verifies(store: ModelStore, tmp_path: Path) -> None:
    asset = tmp_path / "words.txt"
    asset.write_text("a b c")
    ref = publish_bytes(store, tmp_path, samples=b"{}", assets={"words.txt": asset})

    store.verify(ref)
    assert set(store.manifest(ref).files) == {"model.pt", "samples.json", "assets/words.txt"}


@pytest.mark.parametrize("data", [b"weighty", b"weightz", b""])
def test_changed_bytes_are_found(store: ModelStore, tmp_path: Path, data: bytes) -> None:
    ref = publish_bytes(store, tmp_path)
    overwrite(store, "tiny/1/model.pt", data)

    with pytest.raises(DigestMismatch, match=r"tiny/1/model\.pt"):
        store.verify(ref)


def test_a_missing_file_is_found(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    store.file_system.rm(store.path("tiny/1/model.pt"))

    with pytest.raises(MissingFile, match=r"tiny/1/model\.pt"):
        store.verify(ref)


@pytest.mark.parametrize("stray", ["samples.json", "assets/words.txt", ".hidden"])
def test_a_file_that_was_put_in_is_found(store: ModelStore, tmp_path: Path, stray: str) -> None:
    ref = publish_bytes(store, tmp_path)
    store.file_system.makedirs(store.path("tiny/1/assets"), exist_ok=True)
    store.file_system.pipe_file(store.path(f"tiny/1/{stray}"), b"{}")

    with pytest.raises(StrayFile, match=f"tiny/1/{stray}"):
        store.verify(ref)


def test_a_local_version_is_used_in_place(local_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(local_store, tmp_path)

    assert local_store.local_folder(ref) == tmp_path / "store" / "tiny" / "1"


def test_a_remote_version_is_copied_once(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path, artifact=b"weights")
    folder = remote_store.local_folder(ref)
    remote_store.file_system.rm(remote_store.path("tiny/1/model.pt"))

    assert remote_store.local_folder(ref) == folder
    assert (folder / "model.pt").read_bytes() == b"weights"
    assert list(remote_store.staging_dir.iterdir()) == []


def test_a_copy_is_there_while_the_store_is_away(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    digest = remote_store.digest(ref)
    folder = remote_store.local_folder(ref)

    with mock.patch.object(type(remote_store.file_system), "cat_file", side_effect=OSError(5, "Input/output error")):
        assert remote_store.local_folder(ref, digest=digest) == folder


def test_a_manifest_of_another_digest_is_not_copied(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)

    with pytest.raises(DigestMismatch, match=r"tiny/1/manifest\.json"):
        remote_store.local_folder(ref, digest="0" * 64)


@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_bytes(b"other")])
@pytest.mark.parametrize("name", ["model.pt", "manifest.json"])
def test_a_damaged_copy_is_dropped_and_fetched_again(
    remote_store: ModelStore, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    ref = publish_bytes(remote_store, tmp_path, artifact=b"weights")
    digest = remote_store.digest(ref)
    folder = remote_store.local_folder(ref)
    (folder / name).chmod(0o600)
    harm(folder / name)

    remote_store.drop_damaged_copy(ref, digest)

    assert not folder.exists()
    assert (remote_store.local_folder(ref, digest=digest) / "model.pt").read_bytes() == b"weights"


def test_a_whole_copy_is_not_dropped(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(store, tmp_path)
    folder = store.local_folder(ref)

    store.drop_damaged_copy(ref, store.digest(ref))

    assert (folder / "model.pt").is_file()


def test_a_bad_remote_copy_is_not_kept(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    overwrite(remote_store, "tiny/1/model.pt", b"forged!")

    with pytest.raises(DigestMismatch):
        remote_store.local_folder(ref)
    assert list(remote_store.cache_dir.rglob("model.pt")) == []


def test_a_copy_that_finds_no_place_is_an_outage(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)
    (remote_store.cache_dir / "tiny").write_text("in the way")

    with pytest.raises(StoreUnreachable, match="File exists"):
        remote_store.local_folder(ref)
    assert list(remote_store.staging_dir.iterdir()) == []


def test_staging_that_cannot_be_made_is_an_outage(local_store: ModelStore) -> None:
    local_store.staging_dir.parent.mkdir()
    local_store.staging_dir.write_text("in the way")

    with pytest.raises(StoreUnreachable), local_store.staging():
        pass


def test_two_copies_at_once_give_one_folder(remote_store: ModelStore, tmp_path: Path) -> None:
    ref = publish_bytes(remote_store, tmp_path)

    def overtaken(folder: Path, target: Path) -> bool:
        """Let another process finish the same copy first."""
        with mock.patch("model_store.reader.move_folder", move_folder):
            assert remote_store.local_folder(ref) == target
        return move_folder(folder, target)

    with mock.patch("model_store.reader.move_folder", overtaken):
        folder = remote_store.local_folder(ref)
    assert (folder / "model.pt").is_file()
    assert list(remote_store.staging_dir.iterdir()) == []


@pytest.mark.parametrize("url", ["nowhere://bucket/models", "s3://bucket/models"])
def test_a_url_that_nothing_reaches_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnreachable, match="cannot be used"):
        open_store(url, tmp_path)


def test_a_failing_file_system_is_said_to_fail(store: ModelStore, tmp_path: Path) -> None:
    publish_bytes(store, tmp_path)

    with (
        mock.patch.object(type(store.file_system), "ls", side_effect=OSError(5, "Input/output error")),
        pytest.raises(StoreUnreachable, match="Input/output error"),
    ):
        store.refs()
