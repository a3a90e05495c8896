"""A TorchScript file is published once it is proven; whatever is wrong with it is said, and leaves nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from torch import nn

from model_store.manifest import FileEntry, TensorSpec, encode_manifest
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.models import (
    ColourModel,
    FoldsBatch,
    NoForward,
    WrongWidth,
    colour_manifest,
    colour_samples,
    save_scripted,
)
from tests.unit.workers.commands.conftest import Run

Publish = Callable[..., Result]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return save_scripted(ColourModel(), tmp_path / "colours.pt")


@pytest.fixture
def publish(run: Run, tmp_path: Path) -> Publish:
    """Publish an artifact with the colour models' manifest, changed as told, and further options."""

    def publish_file(artifact: Path, *options: str | Path, **changes: Any) -> Result:
        manifest = tmp_path / "manifest-of-the-test.json"
        manifest.write_bytes(encode_manifest(colour_manifest(**{"name": "colours", **changes})))
        return run("publish", artifact, "--manifest", manifest, *options)

    return publish_file


def assert_refused(result: Result, sentence: str, var_dir: Path) -> None:
    assert result.exit_code == 1, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert [path for path in (var_dir / "store").rglob("*") if path.name != ".staging"] == []


def test_a_good_model_is_published(publish: Publish, artifact: Path, store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_bytes(colour_samples())
    result = publish(artifact, "--samples", tmp_path / "samples.json")

    assert result.exit_code == 0, result.output
    assert "rows/s" in result.output
    assert "colours/1 is published" in result.output
    assert store.refs() == [ModelRef("colours", 1)]
    store.verify(ModelRef("colours", 1))


@pytest.mark.long
def test_options_place_the_version(publish: Publish, artifact: Path, store: ModelStore, run: Run) -> None:
    publish(artifact)
    result = publish(artifact, "--version", "7", "--alias", "candidate", "--pin")

    assert result.exit_code == 0, result.output
    assert store.refs() == [ModelRef("colours", 1), ModelRef("colours", 7)]
    assert run("show", "colours/candidate").output.splitlines()[0].endswith("candidate  pinned")


def test_the_manifest_may_say_the_version(publish: Publish, artifact: Path, store: ModelStore) -> None:
    assert publish(artifact, version=3).exit_code == 0
    assert store.refs() == [ModelRef("colours", 3)]

    again = publish(artifact, version=3)
    assert again.exit_code == 1
    assert "Version 3 of the model 'colours' is already published." in again.output


def test_assets_are_named_by_file_or_as_told(
    publish: Publish, artifact: Path, store: ModelStore, tmp_path: Path
) -> None:
    for name in ("words.txt", "merges.txt"):
        (tmp_path / name).write_text(name)
    options = ["--asset", tmp_path / "words.txt", "--asset", f"text/merges={tmp_path / 'merges.txt'}"]

    assert publish(artifact, *options).exit_code == 0
    folder = store.local_folder(ModelRef("colours", 1)) / "assets"
    assert ((folder / "words.txt").read_text(), (folder / "text/merges").read_text()) == ("words.txt", "merges.txt")


def test_a_model_that_folds_its_batch_is_published_without_batches(
    publish: Publish, store: ModelStore, tmp_path: Path
) -> None:
    result = publish(save_scripted(FoldsBatch(), tmp_path / "folds.pt"))

    assert result.exit_code == 0, result.output
    assert "max_batch_size is set to 1" in result.output
    assert store.manifest(ModelRef("colours", 1)).max_batch_size == 1


def test_what_the_manifest_leaves_out_is_found_out(
    publish: Publish, artifact: Path, store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "samples.json").write_bytes(colour_samples())
    result = publish(artifact, "--samples", tmp_path / "samples.json", inputs=[], outputs=[])

    assert result.exit_code == 0, result.output
    manifest = store.manifest(ModelRef("colours", 1))
    assert (manifest.inputs, manifest.outputs) == (colour_manifest().inputs, colour_manifest().outputs)
    assert manifest.measured is not None
    assert [batch.batch_size for batch in manifest.measured.batches] == [1, 2, 4, 8]


def test_without_a_name_nothing_is_published(publish: Publish, artifact: Path) -> None:
    result = publish(artifact, name="")

    assert result.exit_code == 2
    assert "--name" in result.output


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "stats"])
def test_path_tricks_are_refused(publish: Publish, artifact: Path, var_dir: Path, name: str) -> None:
    assert_refused(publish(artifact, "--name", name), "cannot name a model", var_dir)
    assert_refused(publish(artifact, "--asset", f"../{name}={artifact}"), "cannot be a file", var_dir)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_artifact_is_refused(publish: Publish, artifact: Path, var_dir: Path, kept: float) -> None:
    data = artifact.read_bytes()
    artifact.write_bytes(data[: int(len(data) * kept)])

    assert_refused(publish(artifact), "not a whole TorchScript archive", var_dir)


def test_what_is_no_torchscript_is_refused(publish: Publish, tmp_path: Path, var_dir: Path) -> None:
    text, state = tmp_path / "model.txt", tmp_path / "state.pt"
    text.write_text("import os")
    torch.save(nn.Linear(2, 2).state_dict(), state)

    for path in (text, state):
        assert_refused(publish(path), "not a whole TorchScript archive", var_dir)


@pytest.mark.long
def test_a_module_without_forward_is_refused(publish: Publish, tmp_path: Path, var_dir: Path) -> None:
    path = save_scripted(NoForward(), tmp_path / "no-forward.pt")

    assert_refused(publish(path), "no forward", var_dir)


def test_other_output_shapes_are_refused(publish: Publish, tmp_path: Path, var_dir: Path) -> None:
    path = save_scripted(WrongWidth(), tmp_path / "wide.pt")

    assert_refused(publish(path), "shape [1, 4]; its signature says [-1, 3]", var_dir)


def test_other_inputs_are_refused(publish: Publish, artifact: Path, var_dir: Path) -> None:
    inputs = [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, 9, 9])]

    assert_refused(publish(artifact, inputs=inputs), "signature says [-1, 3, 9, 9]", var_dir)


def test_a_wrong_hash_is_refused(publish: Publish, artifact: Path, var_dir: Path) -> None:
    entry = FileEntry(sha256="0" * 64, size_bytes=artifact.stat().st_size)

    assert_refused(publish(artifact, files={"model.pt": entry}), "SHA-256 of 'model.pt' differs", var_dir)


def test_samples_of_another_model_are_refused(publish: Publish, tmp_path: Path, var_dir: Path) -> None:
    class Doubled(ColourModel):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.mean(dim=(2, 3)) * 20.0

    (tmp_path / "samples.json").write_bytes(colour_samples())
    path = save_scripted(Doubled(), tmp_path / "doubled.pt")

    assert_refused(publish(path, "--samples", tmp_path / "samples.json"), "does not give the stored values", var_dir)


def test_labels_that_do_not_fit_are_refused(publish: Publish, artifact: Path, var_dir: Path) -> None:
    assert_refused(publish(artifact, labels=["red"]), "1 labels for an output of 3 classes", var_dir)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"max_batch_size": 0}'])
def test_an_unreadable_manifest_is_refused(run: Run, artifact: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    result = run("publish", artifact, "--manifest", tmp_path / "bad.json", "--name", "colours")

    assert result.exit_code == 1
    assert "The manifest cannot be read" in result.output


def test_two_assets_of_one_name_are_refused(publish: Publish, artifact: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same = [tmp_path / "words.txt", tmp_path / "other" / "words.txt"]
    for path in same:
        path.write_text(str(path))
    result = publish(artifact, "--asset", same[0], "--asset", same[1])

    assert result.exit_code == 2
    assert "Two assets have the same name" in result.output
