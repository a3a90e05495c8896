"""Tiny models of tensors for clients of the Open Inference Protocol, and the drafts that publish them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_store.manifest import Manifest
from model_store.publisher import VersionDraft
from tests.factories.models import save_scripted
from tests.factories.tensors import DATATYPES, spec

NUMBERS = [datatype for datatype in DATATYPES if datatype != "BYTES"]
LABELS = ["red", "green", "blue"]


class Sums(nn.Module):
    """Three scores of each row of four: its sum, its first element, and the sum's negative."""

    def forward(self, x: Tensor) -> Tensor:
        total = x.sum(dim=1)
        return torch.stack([total, x[:, 0], -total], dim=1)


class Everything(nn.Module):
    """Returns an input of each datatype as it came."""

    def forward(  # noqa: PLR0917 - TorchScript has no keyword-only parameters
        self,
        bools: Tensor,
        uint8: Tensor,
        uint16: Tensor,
        uint32: Tensor,
        uint64: Tensor,
        int8: Tensor,
        int16: Tensor,
        int32: Tensor,
        int64: Tensor,
        fp16: Tensor,
        bf16: Tensor,
        fp32: Tensor,
        fp64: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        return bools, uint8, uint16, uint32, uint64, int8, int16, int32, int64, fp16, bf16, fp32, fp64


class Pair(nn.Module):
    """Takes two tensors of any width: returns the one doubled, and the other turned round."""

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        return left * 2.0, right.flip(1)


class Echo(nn.Module):
    """Returns each text as it came, and how many characters it has."""

    def forward(self, text: list[str]) -> tuple[list[str], Tensor]:
        return text, torch.tensor([len(one) for one in text])


class Fails(nn.Module):
    """Raises when any element of a row is negative."""

    def forward(self, x: Tensor) -> Tensor:
        if bool((x < 0.0).any()):
            raise ValueError("a negative element")
        return x


class Slow(nn.Module):
    """Returns its input after matrix products that take some tenths of a second."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(512), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        # Of the input, or freezing the module would compute all of it beforehand.
        product = self.weight + x.sum() * 0.0
        for _ in range(60):
            product = product @ self.weight
        return x * product[0, 0]


def input_name(datatype: str) -> str:
    """Return the name of Everything's input of that datatype; its output is called `same_` and that."""
    return "bools" if datatype == "BOOL" else datatype.lower()


def tensor_draft(folder: Path, name: str, module: nn.Module, **manifest: Any) -> VersionDraft:
    """Return a draft of a model of the task `tensor`; its artifact is saved in `folder`."""
    path = save_scripted(module, folder / f"{name}-{len(list(folder.glob('*.pt')))}.pt")
    fields = {"task": "tensor", "max_batch_size": 8, **manifest}
    return VersionDraft(name=name, version=None, manifest=Manifest(**fields), artifact=path)


def oip_drafts(folder: Path) -> list[VersionDraft]:
    """Return a draft of every model here, called by its class in lower case."""
    everything = [(input_name(datatype), datatype) for datatype in NUMBERS]
    return [
        sums_draft(folder),
        tensor_draft(
            folder,
            "everything",
            Everything(),
            inputs=[spec(name, datatype, [-1, 2]) for name, datatype in everything],
            outputs=[spec(f"same_{name}", datatype, [-1, 2]) for name, datatype in everything],
        ),
        tensor_draft(
            folder,
            "pair",
            Pair(),
            inputs=[spec("left", "FP32", [-1, -1]), spec("right", "INT64", [-1, -1])],
            outputs=[spec("doubled", "FP32", [-1, -1]), spec("turned", "INT64", [-1, -1])],
        ),
        tensor_draft(
            folder,
            "echo",
            Echo(),
            inputs=[spec("text", "BYTES", [-1])],
            outputs=[spec("same", "BYTES", [-1]), spec("length", "INT64", [-1])],
        ),
        tensor_draft(
            folder, "fails", Fails(), inputs=[spec("x", "FP32", [-1, 2])], outputs=[spec("y", "FP32", [-1, 2])]
        ),
        tensor_draft(folder, "slow", Slow(), inputs=[spec("x", "FP32", [-1, 2])], outputs=[spec("y", "FP32", [-1, 2])]),
    ]


def sums_draft(folder: Path, name: str = "sums") -> VersionDraft:
    """Return a draft of Sums, with labels for its three scores."""
    return tensor_draft(
        folder,
        name,
        Sums(),
        inputs=[spec("x", "FP32", [-1, 4])],
        outputs=[spec("scores", "FP32", [-1, 3])],
        labels=LABELS,
    )
