"""A torchvision classifier is imported by its name, or from a state dict, in one command."""

from pathlib import Path

import pytest
import torch

from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.unit.workers.commands.conftest import Run
from workers.vision import models

SMALL = "shufflenet_v2_x0_5"


def test_a_classifier_with_random_weights_is_published(run: Run, store: ModelStore) -> None:
    result = run("import", "torchvision", SMALL, "--weights", "none", "--max-batch-size", 2)

    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.output.splitlines()[:3]] == [SMALL] * 3
    assert store.manifest(ModelRef(SMALL, 1)).max_batch_size == 2


def test_a_state_dict_is_published_under_its_own_name_and_labels(run: Run, store: ModelStore, tmp_path: Path) -> None:
    torch.save(models.get_model(SMALL, weights=None, num_classes=2).state_dict(), tmp_path / "flowers.pth")
    (tmp_path / "labels.txt").write_text("daisy\ntulip\n")
    source = ("--weights", tmp_path / "flowers.pth", "--labels", tmp_path / "labels.txt", "--max-batch-size", 1)
    result = run("import", "torchvision", SMALL, *source, "--name", "flowers", "--version", 3, "--alias", "candidate")

    assert result.exit_code == 0, result.output
    assert store.manifest(ModelRef("flowers", 3)).labels == ["daisy", "tulip"]
    assert run("show", "flowers/candidate").exit_code == 0


@pytest.mark.parametrize(
    ("architecture", "weights", "sentence"),
    [
        ("resnet19", "none", "no classifier 'resnet19'"),
        (SMALL, "IMAGENET9K", "'IMAGENET9K' is no file"),
        (SMALL, __file__, "cannot be read as a state dict"),
    ],
)
def test_what_cannot_be_imported_is_said(
    run: Run, store: ModelStore, architecture: str, weights: str, sentence: str
) -> None:
    result = run("import", "torchvision", architecture, "--weights", weights)

    assert result.exit_code == 1
    assert sentence in result.output
    assert store.refs() == []


def test_labels_that_are_no_text_are_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
    result = run("import", "torchvision", SMALL, "--weights", "none", "--labels", tmp_path / "labels.txt")

    assert result.exit_code == 2
    assert "labels.txt is not a text file" in result.output
