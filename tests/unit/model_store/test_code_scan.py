"""An artifact is read before it is opened: what models do is accepted, what none may do is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from app.errors import ForbiddenCode, UnloadableArtifact
from model_store.code_scan import scan_artifact
from tests.factories.archives import Identity, records, saved, write_archive
from tests.factories.cifar_resnet import CifarResNet
from workers import vision


class CountsWords(nn.Module):
    """Takes strings, and holds some that would be calls if they were code."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = {"print(x)": 1.0, "torch.save": 2.0, "ops.evil.run('é')": 3.0}

    def forward(self, texts: list[str]) -> Tensor:
        counts: list[float] = []
        for text in texts:
            if text == "":
                raise ValueError("print(nothing)")
            counts.append(float(len(text.lower().split(" "))) + self.weights["print(x)"])
        return torch.tensor(counts)


class Saves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "written")
        return x


class ReadsFiles(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.from_file("/etc/passwd", False, 4)


class PrintsInside(nn.Module):
    """Prints in a method that forward never calls, of a module inside a module."""

    @torch.jit.export
    def tell(self, x: Tensor) -> None:
        print(x)  # noqa: T201

    def forward(self, x: Tensor) -> Tensor:
        return x


class SavesInLoad(nn.Module):
    """Runs code inside torch.jit.load."""

    @torch.jit.export
    def __getstate__(self) -> int:
        return 0

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        torch.save(state, "written")

    def forward(self, x: Tensor) -> Tensor:
        return x


def tell(x: Tensor) -> Tensor:
    print("free")  # noqa: T201
    return x


class CallsFreeFunction(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return tell(x)


def quantized() -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval(), {nn.Linear})


ACCEPTED: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: vision.models.resnet18(weights=None),
    "resnet18 frozen": lambda: torch.jit.freeze(torch.jit.script(vision.models.resnet18(weights=None).eval())),
    "resnet18 traced": lambda: torch.jit.trace(vision.models.resnet18(weights=None).eval(), torch.rand(1, 3, 32, 32)),
    "CIFAR resnet": CifarResNet,
    "MLP": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 2)),
    "LSTM": lambda: nn.LSTM(4, 4),
    "attention": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 1),
    "strings": CountsWords,
    "quantized": quantized,
}


@pytest.mark.filterwarnings(
    "ignore:torch.ao.quantization", "ignore:torch.quantize_per_tensor", "ignore:enable_nested_tensor"
)
@pytest.mark.parametrize("kind", ACCEPTED)
def test_models_as_people_make_them_are_accepted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(saved(ACCEPTED[kind]()))

    scan_artifact(path)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (Saves(), "save"),
        (ReadsFiles(), "from_file"),
        (nn.Sequential(nn.Linear(2, 2), PrintsInside()), "print"),
        (SavesInLoad(), "save"),
        (CallsFreeFunction(), "print"),
    ],
)
def test_what_no_model_may_do_is_refused(tmp_path: Path, module: nn.Module, call: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(saved(module))

    with pytest.raises(ForbiddenCode, match=rf"code/.*\.py, line \d+: '{call}'"):
        scan_artifact(path)


def test_code_is_found_under_any_name(tmp_path: Path) -> None:
    contents = {**records(saved(Identity())), "code/Hidden.PY": b"print\n"}

    with pytest.raises(ForbiddenCode, match=r"code/Hidden\.PY, line 1"):
        scan_artifact(write_archive(tmp_path / "model.pt", contents))


@pytest.mark.parametrize("missing", ["data.pkl", "constants.pkl", "code"])
def test_other_archives_are_refused(tmp_path: Path, missing: str) -> None:
    contents = {name: data for name, data in records(saved(Identity())).items() if not name.startswith(missing)}

    with pytest.raises(UnloadableArtifact, match=f"it lacks {missing}"):
        scan_artifact(write_archive(tmp_path / "model.pt", contents))
