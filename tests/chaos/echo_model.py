"""A model whose answer names the version that gave it: each version adds its own number to what it is asked."""

import json
from pathlib import Path

from torch import Tensor, nn

from tests.factories.models import save_scripted

NAME = "echo"
WIDTH = 4


class Echo(nn.Module):
    """Returns what came, each number greater by the version's."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = float(version)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.version


def manifest(version: int) -> bytes:
    """Return the manifest of a version. Its answers are not kept: a kept one is no proof of who computed it."""
    members = {
        "version": version,
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, WIDTH]}],
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1, WIDTH]}],
        "max_batch_size": 32,
        "cache": {"enabled": False},
    }
    return json.dumps(members).encode()


def artifact(version: int, folder: Path) -> bytes:
    """Return the TorchScript of a version; `folder` holds it meanwhile."""
    return save_scripted(Echo(version), folder / f"echo-{version}.pt").read_bytes()
