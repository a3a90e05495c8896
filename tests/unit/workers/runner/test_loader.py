"""From a folder to a model: what is missing, changed, cut off or no model is named."""

import hashlib
import zipfile
from pathlib import Path

import msgspec
import pytest
import torch

from app.errors import DigestMismatch, InvalidManifest, MissingFile, UnloadableArtifact
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, SAMPLES_FILE
from tests.factories.models import ColourModel, NoForward, colour_manifest, publish_model, save_scripted, tensor
from tests.factories.versions import make_store
from workers.runner.loaded_model import Layout
from workers.runner.loader import check_files, load_model, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A published version, its files writable."""
    store = make_store(tmp_path)
    folder = store.local_folder(publish_model(store, tmp_path))
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def test_reads_and_checks_a_whole_version(folder: Path) -> None:
    digest = hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()

    manifest = read_manifest(folder, digest=digest)
    check_files(folder, manifest)

    assert {ARTIFACT_FILE, SAMPLES_FILE} <= set(manifest.files)


def test_another_manifest_than_expected_is_refused(folder: Path) -> None:
    with pytest.raises(DigestMismatch, match=MANIFEST_FILE):
        read_manifest(folder, digest="0" * 64)


def test_an_unreadable_manifest_is_refused(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_text("{")

    with pytest.raises(InvalidManifest):
        read_manifest(folder)


@pytest.mark.parametrize("name", [ARTIFACT_FILE, SAMPLES_FILE])
def test_a_changed_byte_is_found(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)

    with pytest.raises(DigestMismatch, match=name):
        check_files(folder, read_manifest(folder))


def test_a_missing_file_is_named(folder: Path) -> None:
    manifest = read_manifest(folder)
    (folder / ARTIFACT_FILE).unlink()

    with pytest.raises(MissingFile, match=ARTIFACT_FILE):
        check_files(folder, manifest)


def test_a_missing_manifest_is_named(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()

    with pytest.raises(MissingFile, match=MANIFEST_FILE):
        read_manifest(folder)


def test_an_artifact_that_the_manifest_does_not_name_is_refused(folder: Path) -> None:
    manifest = msgspec.structs.replace(read_manifest(folder), files={})

    with pytest.raises(MissingFile, match=ARTIFACT_FILE):
        check_files(folder, manifest)


@pytest.mark.parametrize("kept", [0, 10, 400, -1])
def test_a_cut_off_artifact_is_no_archive(folder: Path, kept: int) -> None:
    path = folder / ARTIFACT_FILE
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(UnloadableArtifact):
        load_model(folder, colour_manifest())


def test_another_zip_is_no_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / ARTIFACT_FILE, "w") as archive:
        archive.writestr("hello.txt", "hello")

    with pytest.raises(UnloadableArtifact):
        load_model(tmp_path, colour_manifest())


def test_a_state_dict_is_no_archive(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / ARTIFACT_FILE)

    with pytest.raises(UnloadableArtifact):
        load_model(tmp_path, colour_manifest())


def test_a_module_without_forward_is_refused(tmp_path: Path) -> None:
    save_scripted(NoForward(), tmp_path / ARTIFACT_FILE)

    with pytest.raises(UnloadableArtifact, match="forward"):
        load_model(tmp_path, colour_manifest())


@pytest.mark.parametrize("layout", Layout)
def test_a_module_saved_in_training_mode_is_evaluated(tmp_path: Path, layout: Layout) -> None:
    module = torch.nn.Sequential(torch.nn.Dropout(0.9), ColourModel()).train()
    torch.jit.save(torch.jit.script(module), str(tmp_path / ARTIFACT_FILE))

    model = load_model(tmp_path, colour_manifest(), layout=layout)

    assert tensor(model.forward([torch.ones(2, 3, 8, 8)])[0]).tolist() == [[10.0] * 3] * 2


def test_a_frozen_archive_loads_too(tmp_path: Path) -> None:
    frozen = torch.jit.freeze(torch.jit.script(ColourModel().eval()))
    torch.jit.save(frozen, str(tmp_path / ARTIFACT_FILE))

    (scores,) = load_model(tmp_path, colour_manifest()).forward([torch.ones(1, 3, 8, 8)])
    assert tensor(scores).tolist() == [[10.0] * 3]
