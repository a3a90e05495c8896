"""Tiny scripted models, good and broken, and drafts that publish them.

Each takes images of 3×8×8 and scores the labels red, green and blue by the mean of each channel, so that a test
knows the answer of any picture and a swapped row shows.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_store.manifest import Manifest, Preprocessing, Step
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft, publish
from model_store.reader import ModelStore
from model_store.signature import Sample, encode_samples, from_array
from tests.factories.versions import accept, make_manifest
from workers.runner.values import Value

SIDE = 8
LABELS = ["red", "green", "blue"]


class ColourModel(nn.Module):
    """Scores each channel by its mean."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)) * 10.0


class SlowColourModel(nn.Module):
    """Scores like ColourModel, after `work` matrix products."""

    def __init__(self, work: int, side: int = 256) -> None:
        super().__init__()
        self.work = work
        self.weight = nn.Parameter(torch.eye(side), requires_grad=False)

    def forward(self, image: Tensor) -> Tensor:
        product: Tensor = self.weight
        for _ in range(self.work):
            product = product @ self.weight
        return image.mean(dim=(2, 3)) * 10.0 * product[0, 0]


class ForkingColourModel(nn.Module):
    """Scores like SlowColourModel, on one of the threads that torch has for what models fork."""

    def __init__(self, work: int) -> None:
        super().__init__()
        self.slow = SlowColourModel(work)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = torch.jit.wait(torch.jit.fork(self.slow, image))  # type: ignore[no-untyped-call]
        return scores


class FailsOnBlack(nn.Module):
    """Scores like ColourModel, but raises when any image of the batch is black."""

    def forward(self, image: Tensor) -> Tensor:
        means = image.mean(dim=(2, 3))
        if bool((means.sum(dim=1) == 0.0).any()):
            raise ValueError("a black image")
        return means * 10.0


class WrongWidth(nn.Module):
    """Answers four scores where its manifest says three."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)).repeat(1, 2)[:, :4]


class FoldsBatch(nn.Module):
    """Answers a batch of two with one row of double width, as a module traced with a batch of one can."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)).reshape(1, -1)


class NoForward(nn.Module):
    """Has another method than forward."""

    @torch.jit.export
    def score(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))


def tensor(value: Value) -> Tensor:
    """Return a model's output that is a tensor, not strings."""
    assert isinstance(value, Tensor)
    return value


def save_scripted(module: nn.Module, path: Path) -> Path:
    """Script a module in evaluation mode and save it."""
    torch.jit.save(torch.jit.script(module.eval()), path)
    return path


def colour_manifest(**changes: Any) -> Manifest:
    """Return the manifest of the models here: pictures of any size become 3×8×8 in [0, 1]."""
    steps = [
        Step(op="resize", args={"size": [SIDE, SIDE], "antialias": True}),
        Step(op="to_image"),
        Step(op="to_dtype", args={"dtype": "float32", "scale": True}),
    ]
    return make_manifest(**{"preprocessing": Preprocessing(mode="RGB", steps=steps), "labels": LABELS, **changes})


def colour_samples(rows: int = 2, seed: int = 0) -> bytes:
    """Return samples.json with what ColourModel answers to random images."""
    images = torch.rand(rows, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    scores = ColourModel()(images)
    inputs = [from_array("image", "FP32", images.numpy())]
    outputs = [from_array("scores", "FP32", scores.numpy())]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])


def model_draft(folder: Path, module: nn.Module | None = None, **changes: Any) -> VersionDraft:
    """Return a draft of `module` (ColourModel) named `colours`, with samples; its artifact is saved in `folder`."""
    path = save_scripted(module or ColourModel(), folder / f"artifact-{len(list(folder.glob('artifact-*')))}.pt")
    fields: dict[str, Any] = {
        "name": "colours",
        "version": None,
        "manifest": colour_manifest(),
        "artifact": path,
        "samples": colour_samples(),
    }
    return VersionDraft(**{**fields, **changes})


def publish_model(store: ModelStore, folder: Path, module: nn.Module | None = None, **changes: Any) -> ModelRef:
    """Publish a tiny model without proving it; `folder` holds its artifact."""
    return publish(store, model_draft(folder, module, **changes), prove=accept)
