"""Models that do what verification has to stop, with the signature of the colour models."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_store.manifest import MANIFEST_FILE, SAMPLES_FILE, encode_manifest
from tests.factories.models import colour_manifest, colour_samples, save_scripted


class LoopsForever(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        count = 0
        while count >= 0:
            count = (count + 1) % 7
        return image.mean(dim=(2, 3))


class LoopsInLoad(nn.Module):
    """Never comes back from torch.jit.load."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    @torch.jit.export
    def __getstate__(self) -> int:
        return self.count

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        self.training = False
        self.count = state
        while self.count >= 0:
            self.count = (self.count + 1) % 7

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))


class EatsMemory(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        eaten = image
        while eaten.numel() > 0:
            eaten = torch.cat([eaten, eaten])
        return eaten.mean(dim=(2, 3))


class AnswersTooMuch(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.repeat(1000, 1000, 1000, 1000)


class Crashes(nn.Module):
    """Reads far outside its memory, by an operator that trusts its arguments."""

    def forward(self, image: Tensor) -> Tensor:
        return torch._convert_indices_from_csr_to_coo(torch.tensor([0, image.size(0) << 40]), torch.tensor([0]))


class MixesRows(nn.Module):
    """Answers each row what depends on the others: right alone, wrong in company."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3)) * 10.0 / image.sum()


def stage(folder: Path, module: nn.Module, *, samples: bytes | None = None, **changes: Any) -> Path:
    """Return a folder like one that is about to be published: artifact, manifest with `changes`, samples."""
    staged = folder / "staged"
    staged.mkdir()
    save_scripted(module, staged / "model.pt")
    (staged / MANIFEST_FILE).write_bytes(encode_manifest(colour_manifest(**changes)))
    if samples is not None:
        (staged / SAMPLES_FILE).write_bytes(samples)
    return staged


def stage_good(folder: Path, module: nn.Module, **changes: Any) -> Path:
    """Stage a module that answers as ColourModel does, with samples that say so."""
    return stage(folder, module, samples=colour_samples(), **changes)
