"""READY means proven: what a version must not get away with, and what the proof measures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import DigestMismatch, InvalidManifest, SampleMismatch, SignatureMismatch, StoreError
from model_store.manifest import ARTIFACT_FILE, Manifest, Preprocessing, Step, TensorSpec
from model_store.signature import Sample, SampleTensor, decode_samples, encode_samples
from tests.factories.models import (
    ColourModel,
    FoldsBatch,
    SlowColourModel,
    WrongWidth,
    colour_manifest,
    colour_samples,
    publish_model,
    tensor,
)
from tests.factories.tensor_models import (
    Doubles,
    Echoes,
    Shouts,
    doubles_manifest,
    echoes_manifest,
    shouts_manifest,
)
from tests.factories.versions import make_store
from workers.runner.loader import read_manifest
from workers.runner.pipelines.base import Limits
from workers.runner.proof import Proof, is_close, load_and_prove, prove

BYTES_SAMPLE = (
    b'{"samples": [{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["a"]}], "outputs": []}]}'
)
UNSCALED_STEPS = [Step(op="to_image"), Step(op="normalize", args={"mean": [0.5], "std": [0.5]})]


def published(folder: Path, module: nn.Module | None = None, **changes: Any) -> Path:
    """Publish a version without proof; return its folder."""
    store = make_store(folder)
    return store.local_folder(publish_model(store, folder, module, **changes))


class MixesRows(nn.Module):
    """Answers each row the mean of its batch: right alone, wrong in company."""

    def forward(self, image: Tensor) -> Tensor:
        means = image.mean(dim=(2, 3)) * 10.0
        return means.cumsum(1) * 0.0 + image[:, :, :4].mean(dim=(0, 2, 3)) * 10.0


class ConvolvesThenViews(nn.Module):
    """Calls view() on what a convolution gives, which only works plane by plane."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.busy = nn.Parameter(torch.eye(768), requires_grad=False)

    def forward(self, image: Tensor) -> Tensor:
        product = self.busy @ self.busy @ self.busy @ self.busy
        planes: Tensor = self.conv(image)
        return planes.view(image.shape[0], 3, 64).mean(dim=2) * product[0, 0]


def test_a_good_version_is_loaded_and_measured(tmp_path: Path) -> None:
    model, proof = load_and_prove(published(tmp_path))

    assert list(proof.seconds) == [1, 2, 4, 8]
    assert proof.is_batch_safe
    assert proof.prepare_s > 0.0
    assert tensor(model.forward([torch.ones(1, 3, 8, 8)])[0]).tolist() == [[10.0] * 3]


def test_the_largest_batch_is_run_though_no_power_of_two(tmp_path: Path) -> None:
    _model, proof = load_and_prove(published(tmp_path, manifest=colour_manifest(max_batch_size=6)))

    assert list(proof.seconds) == [1, 2, 4, 6]


def test_the_budget_ends_growing_batches(tmp_path: Path) -> None:
    _model, proof = load_and_prove(published(tmp_path, SlowColourModel(1)), budget_s=0.0)

    assert list(proof.seconds) == [1]


@pytest.mark.parametrize("module", [FoldsBatch(), MixesRows()])
def test_a_model_that_cannot_batch_is_found_out(tmp_path: Path, module: nn.Module) -> None:
    _model, proof = load_and_prove(published(tmp_path, module, samples=None))

    assert not proof.is_batch_safe
    assert proof.best_batch == 1


def test_a_model_that_needs_its_layout_keeps_it(tmp_path: Path) -> None:
    model, proof = load_and_prove(published(tmp_path, ConvolvesThenViews(), samples=None))

    assert list(model.forward([torch.ones(2, 3, 8, 8)])[0].shape) == [2, 3]
    assert proof.is_batch_safe


def test_a_sample_may_have_inputs_only(tmp_path: Path) -> None:
    (sample,) = decode_samples(colour_samples())
    inputs_only = encode_samples([Sample(inputs=sample.inputs, outputs=[])])
    _model, proof = load_and_prove(published(tmp_path, samples=inputs_only))

    assert proof.is_batch_safe


def test_each_step_is_told_before_it_is_taken(tmp_path: Path) -> None:
    folder, steps = published(tmp_path), []
    prove(folder, read_manifest(folder), limits=Limits(), budget_s=5.0, follow=steps.append)

    assert [step.batch_size for step in steps] == [0, 0, 0, 1, 2, 4, 8]
    assert steps[0].name == "loading the artifact"


def test_other_answers_than_the_samples_are_refused(tmp_path: Path) -> None:
    class Brighter(ColourModel):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean(dim=(2, 3)) * 10.1

    with pytest.raises(SampleMismatch, match="Sample 1, output 'scores'"):
        load_and_prove(published(tmp_path, Brighter()))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"samples": b'{"samples": [{"inputs": [], "outputs": []}]}'}, SignatureMismatch),
        ({"samples": b"{"}, SignatureMismatch),
        ({"samples": BYTES_SAMPLE}, SignatureMismatch),
        ({"module": WrongWidth()}, SignatureMismatch),
        ({"manifest": colour_manifest(preprocessing=Preprocessing(steps=UNSCALED_STEPS))}, InvalidManifest),
        ({"manifest": colour_manifest(task="ranking")}, InvalidManifest),
        ({"manifest": colour_manifest(labels=["one"])}, InvalidManifest),
        ({"manifest": colour_manifest(preprocessing=Preprocessing(steps=[Step(op="to_image")]))}, SignatureMismatch),
        (
            {"manifest": colour_manifest(inputs=[TensorSpec(name="image", datatype="FP64", shape=[-1, 3, 8, 8])])},
            StoreError,
        ),
    ],
)
def test_a_version_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[StoreError]
) -> None:
    with pytest.raises(error):
        load_and_prove(published(tmp_path, **{"samples": colour_samples(), **changes}))


def test_a_changed_artifact_is_not_even_opened(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / ARTIFACT_FILE).chmod(0o644)
    (folder / ARTIFACT_FILE).write_bytes(b"other")

    with pytest.raises(DigestMismatch):
        load_and_prove(folder)


def test_a_model_that_raises_on_its_own_signature_is_refused(tmp_path: Path) -> None:
    wide = [TensorSpec(name="image", datatype="FP32", shape=[-1, 1, 8, 8])]
    grey = Preprocessing(mode="L", steps=colour_manifest().preprocessing.steps)
    manifest = colour_manifest(inputs=wide, preprocessing=grey)

    with pytest.raises(SignatureMismatch, match="scores"):
        load_and_prove(published(tmp_path, samples=None, manifest=manifest))


def test_the_best_batch_is_the_smallest_that_is_as_fast_as_any() -> None:
    proof = Proof(seconds={1: 1.0, 2: 1.2, 4: 2.35, 8: 4.7}, is_batch_safe=True)

    assert proof.best_batch == 2
    assert proof.rows_per_s == pytest.approx(2 / 1.2)


@pytest.mark.parametrize(
    ("want", "got", "expected"),
    [
        (torch.tensor([1.0]), torch.tensor([1.0005]), True),
        (torch.tensor([1.0]), torch.tensor([1.01]), False),
        (torch.tensor([1000.0, 0.0]), torch.tensor([1000.0, 0.05]), True),
        (torch.tensor([1]), torch.tensor([1]), True),
        (torch.tensor([1]), torch.tensor([2]), False),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), True),
        (torch.tensor([-torch.inf, 1.0]), torch.tensor([-torch.inf, 1.0]), True),
        (torch.tensor([-torch.inf, 1.0]), torch.tensor([-torch.inf, 2.0]), False),
    ],
)
def test_equal_but_for_rounding(want: Tensor, got: Tensor, expected: bool) -> None:
    assert is_close(want, got) is expected


@pytest.mark.parametrize(
    ("module", "manifest"),
    [
        (Doubles(), doubles_manifest()),
        (Shouts(), shouts_manifest()),
        (Echoes(), echoes_manifest("BF16")),
        (Echoes(), echoes_manifest("UINT32")),
    ],
)
def test_a_model_of_tensors_is_rehearsed_with_made_up_ones(
    tmp_path: Path, module: nn.Module, manifest: Manifest
) -> None:
    _, proof = load_and_prove(published(tmp_path, module, manifest=manifest, samples=None))

    assert proof.is_batch_safe
    assert list(proof.seconds) == [1, 2, 4, 8]


def test_texts_of_a_sample_are_compared(tmp_path: Path) -> None:
    good = shouts_samples("LOUD")
    model, _ = load_and_prove(published(tmp_path, Shouts(), manifest=shouts_manifest(), samples=good))

    assert model.manifest.task == "tensor"
    with pytest.raises(SampleMismatch, match="output 'loud'"):
        load_and_prove(published(tmp_path, Shouts(), manifest=shouts_manifest(), samples=shouts_samples("loud")))


def shouts_samples(answer: str) -> bytes:
    """Return samples in which the text 'loud' gives `answer`."""
    inputs = [
        SampleTensor(name="texts", datatype="BYTES", shape=[1], data=["loud"]),
        SampleTensor(name="number", datatype="INT64", shape=[1], data=[1]),
    ]
    outputs = [
        SampleTensor(name="loud", datatype="BYTES", shape=[1], data=[answer]),
        SampleTensor(name="length", datatype="INT64", shape=[1], data=[5]),
    ]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])
