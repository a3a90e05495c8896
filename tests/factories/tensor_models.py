"""Tiny scripted models of tensors and texts, whose answers a test knows row by row, and their manifests."""

from typing import Any

import torch
from torch import Tensor, nn

from app.scenarios.tensor_frames import TensorParameters
from model_store.manifest import Manifest
from tests.factories.tensors import Body, spec


class Doubles(nn.Module):
    """Gives twice each number of a row, and the row's sum."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x.sum(dim=1)


class FailsOnNegative(nn.Module):
    """Like Doubles, but raises when any number of the batch is negative."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if bool((x < 0).any()):
            raise ValueError("a negative number")
        return x * 2, x.sum(dim=1)


class Echoes(nn.Module):
    """Gives back its input, whatever the datatype."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


class Shouts(nn.Module):
    """Gives each text in capitals, and its length plus a number."""

    def forward(self, texts: list[str], number: Tensor) -> tuple[list[str], Tensor]:
        loud = [text.upper() for text in texts]
        lengths = torch.tensor([len(text) for text in texts])
        return loud, lengths + number


class Modulo(nn.Module):
    """Computes with unsigned numbers of 16 bits, for which torch has no kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return x % 7


def doubles_manifest(**changes: Any) -> Manifest:
    """Return the manifest of Doubles: rows of any length."""
    fields: dict[str, Any] = {
        "inputs": [spec("x", "FP32", [-1, -1])],
        "outputs": [spec("twice", "FP32", [-1, -1]), spec("sum", "FP32", [-1])],
        "max_batch_size": 8,
    }
    return Manifest(**{**fields, **changes})


def shouts_manifest(**changes: Any) -> Manifest:
    """Return the manifest of Shouts."""
    fields: dict[str, Any] = {
        "inputs": [spec("texts", "BYTES", [-1]), spec("number", "INT64", [-1])],
        "outputs": [spec("loud", "BYTES", [-1]), spec("length", "INT64", [-1])],
        "max_batch_size": 8,
    }
    return Manifest(**{**fields, **changes})


def echoes_manifest(datatype: Any, **changes: Any) -> Manifest:
    """Return the manifest of Echoes for a datatype."""
    inputs, outputs = [spec("x", datatype, [-1, 2])], [spec("y", datatype, [-1, 2])]
    return Manifest(**{"inputs": inputs, "outputs": outputs, "max_batch_size": 8, **changes})


def parameters_of(body: Body, **more: Any) -> TensorParameters:
    """Return the parameters that the web tier sends beside a body."""
    return TensorParameters(json_bytes=body.json_bytes, **more)
