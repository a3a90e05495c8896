"""Classifiers of torchvision come whole: scripted, with their own transforms, class names and sample outputs."""

from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import URLError

import pytest
import torch
from PIL import Image

from app.errors import StoreError, UnavailableError, UnloadableArtifact
from model_store.publisher import VersionDraft, publish
from tests.factories.versions import accept, make_store
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.transforms import build_transform
from workers.runner.proof import load_and_prove
from workers.training.torchvision_zoo import ZooModel, architectures, draft_from_zoo, preset_steps
from workers.vision import models

SMALL = "shufflenet_v2_x0_5"
# One of each family: their code differs, their sizes do not matter here.
FAMILIES = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "resnet18",
    "resnext50_32x4d", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
]  # fmt: skip


def draft(folder: Path, architecture: str = SMALL, **changes: Any) -> VersionDraft:
    """Return the draft of a classifier with random weights, with `changes` to what is wanted."""
    fields: dict[str, Any] = {"architecture": architecture, "weights": "none", "name": "zoo"}
    return draft_from_zoo(ZooModel(**{**fields, **changes}), folder, report=lambda _line: None)


def prove(drawn: VersionDraft, folder: Path) -> LoadedModel:
    """Publish a draft and return its model as a runner would load it: hashes and samples were checked."""
    store = make_store(folder)
    ref = publish(store, drawn, prove=accept)
    return load_and_prove(store.local_folder(ref), budget_s=0.0)[0]


def state_dict_of(architecture: str = SMALL, *, classes: int = 1000) -> dict[str, torch.Tensor]:
    """Return the random state dict of a classifier."""
    state: dict[str, torch.Tensor] = models.get_model(architecture, weights=None, num_classes=classes).state_dict()
    return state


@pytest.fixture
def picture() -> Image.Image:
    noise = torch.randint(0, 256, (37, 61, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Image.fromarray(noise.numpy()).resize((500, 375))


@pytest.mark.parametrize("architecture", [SMALL, pytest.param("googlenet", marks=pytest.mark.long)])
def test_a_classifier_is_proven_with_its_samples(architecture: str, tmp_path: Path) -> None:
    drawn = draft(tmp_path, architecture)
    model = prove(drawn, tmp_path)

    assert drawn.samples is not None
    assert len(model.manifest.labels) == 1000
    assert model.manifest.labels[1] == "goldfish"


@pytest.mark.long
@pytest.mark.parametrize("architecture", FAMILIES)
def test_each_family_is_proven_with_its_samples(architecture: str, tmp_path: Path) -> None:
    assert prove(draft(tmp_path, architecture), tmp_path).manifest.task == "image-classification"


@pytest.mark.parametrize("architecture", architectures())
def test_the_steps_do_what_the_preset_does(architecture: str, picture: Image.Image) -> None:
    preset = models.get_model_weights(architecture).DEFAULT.transforms()

    torch.testing.assert_close(build_transform(preset_steps(preset))(picture), preset(picture), rtol=0, atol=1e-6)


def test_random_weights_depend_on_the_seed_only(tmp_path: Path) -> None:
    first, again, other = (draft(tmp_path, seed=seed).samples for seed in (1, 1, 2))

    assert first == again != other


def test_importing_leaves_the_random_numbers_of_others_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draft(tmp_path)

    assert torch.equal(torch.rand(3), expected)


def test_each_step_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []
    draft_from_zoo(ZooModel(architecture=SMALL, weights="none", name="zoo"), tmp_path, report=lines.append)

    assert [line.partition(": ")[2].split()[0] for line in lines] == ["building", "computing", "scripting"]


def test_known_weights_bring_labels_and_accuracies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = models.get_model_weights(SMALL).DEFAULT
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(state_dict_of(), checkpoints / weights.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    manifest = prove(draft(tmp_path, weights="DEFAULT"), tmp_path).manifest
    assert manifest.metrics["ImageNet-1K acc@1"] == pytest.approx(60.552)
    assert manifest.labels == weights.meta["categories"]


def test_weights_that_do_not_come_are_unavailable(tmp_path: Path) -> None:
    no_network = mock.patch.object(models, "get_model", side_effect=URLError("no route to host"))
    with no_network, pytest.raises(UnavailableError, match=r"no route to host.*--weights PATH"):
        draft(tmp_path, weights="DEFAULT")


@pytest.mark.parametrize("key", [None, "model", "state_dict"])
def test_a_state_dict_file_is_served(tmp_path: Path, key: str | None) -> None:
    state = state_dict_of(classes=3)
    torch.save(state if key is None else {key: state, "epoch": 3}, tmp_path / "flowers.pth")
    model = prove(draft(tmp_path, weights=str(tmp_path / "flowers.pth"), labels=["a", "b", "c"]), tmp_path)

    eager = models.get_model(SMALL, weights=None, num_classes=3)
    eager.load_state_dict(state)
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(model.forward([images])[0], eager.eval()(images), rtol=1e-3, atol=1e-4)
    assert model.manifest.labels == ["a", "b", "c"]


def test_other_classes_than_imagenets_have_no_names_of_theirs(tmp_path: Path) -> None:
    torch.save(state_dict_of(classes=3), tmp_path / "flowers.pth")

    assert draft(tmp_path, weights=str(tmp_path / "flowers.pth")).manifest.labels == []


def test_auxiliary_heads_are_left_behind(tmp_path: Path) -> None:
    options = {"aux_logits": True, "init_weights": False}
    torch.save(models.get_model("googlenet", weights=None, **options).state_dict(), tmp_path / "googlenet.pth")

    assert len(prove(draft(tmp_path, "googlenet", weights=str(tmp_path / "googlenet.pth")), tmp_path).manifest.labels)


@pytest.mark.parametrize("content", [{}, {"weight": 1}, [1, 2], {"model": "none"}, Path("code")])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "bad.pth")

    with pytest.raises(UnloadableArtifact, match=r"bad\.pth"):
        draft(tmp_path, weights=str(tmp_path / "bad.pth"))


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x03\x04"])
def test_an_unreadable_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.pth").write_bytes(data)

    with pytest.raises(UnloadableArtifact, match=r"bad\.pth cannot be read"):
        draft(tmp_path, weights=str(tmp_path / "bad.pth"))


def test_a_state_dict_of_another_architecture_is_refused(tmp_path: Path) -> None:
    torch.save(state_dict_of("squeezenet1_1"), tmp_path / "other.pth")

    with pytest.raises(UnloadableArtifact, match=f"does not fit {SMALL}"):
        draft(tmp_path, weights=str(tmp_path / "other.pth"))


def test_a_state_dict_without_layers_is_refused(tmp_path: Path) -> None:
    torch.save({"bias": torch.zeros(3)}, tmp_path / "flat.pth")

    with pytest.raises(UnloadableArtifact, match="number of classes"):
        draft(tmp_path, weights=str(tmp_path / "flat.pth"))


@pytest.mark.parametrize("weights", ["IMAGENET9K_V1", "/nowhere/weights.pth", ""])
def test_unknown_weights_are_refused_with_what_there_is(tmp_path: Path, weights: str) -> None:
    with pytest.raises(StoreError, match="IMAGENET1K_V1"):
        draft(tmp_path, weights=weights)


@pytest.mark.parametrize("architecture", ["resnet19", "fasterrcnn_resnet50_fpn", "../resnet18", ""])
def test_what_is_no_classifier_is_refused(tmp_path: Path, architecture: str) -> None:
    with pytest.raises(StoreError, match="no classifier"):
        draft(tmp_path, architecture)
