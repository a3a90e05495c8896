"""What a model answers is checked: count, type, shape, and one row per row."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import ModelFailed, SignatureMismatch
from model_store.manifest import TensorSpec
from tests.factories.models import ColourModel, ForkingColourModel, colour_manifest, tensor
from workers.runner.loaded_model import Layout, LoadedModel, last_line

ROWS = torch.zeros(2, 3, 8, 8)


class Answers(nn.Module):
    """Answers whatever a function makes of its input."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, image: Tensor) -> Any:
        return self._answer(image)


def model_of(answer: Callable[[Tensor], Any], **changes: Any) -> LoadedModel:
    """Return a model that answers so."""
    return LoadedModel(colour_manifest(**changes), Answers(answer))


@pytest.mark.parametrize(
    "wrap",
    [lambda scores: scores, lambda scores: (scores,), lambda scores: [scores], lambda scores: {"scores": scores}],
)
def test_outputs_come_as_a_list_however_the_model_gives_them(wrap: Callable[[Tensor], Any]) -> None:
    outputs = model_of(lambda image: wrap(image.mean(dim=(2, 3)))).forward([ROWS])

    assert [list(output.shape) for output in outputs] == [[2, 3]]


def test_named_outputs_come_in_the_manifests_order() -> None:
    specs = [TensorSpec(name=name, datatype="FP32", shape=[-1, 3]) for name in ("first", "second")]
    named = model_of(lambda image: {"second": image.mean((2, 3)) + 2, "first": image.mean((2, 3)) + 1}, outputs=specs)

    assert [tensor(output)[0, 0].item() for output in named.forward([ROWS])] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda image: image.mean(dim=(2, 3)).double(), "float64"),
        (lambda image: image.mean(dim=(2, 3))[:, :2], r"shape \[2, 2\]"),
        (lambda image: image.mean(dim=(2, 3))[:1], "1 rows for a batch of 2"),
        (lambda image: (image, image), "2 values"),
        (lambda image: {"other": image}, "0 values"),
        (lambda image: ["text"], "1 values"),
        (lambda image: "text", "a str"),
        (lambda image: None, "a NoneType"),
    ],
)
def test_other_answers_than_the_signature_says_are_refused(answer: Callable[[Tensor], Any], words: str) -> None:
    with pytest.raises(SignatureMismatch, match=words):
        model_of(answer).forward([ROWS])


def test_what_the_model_raises_is_named_without_its_traceback() -> None:
    def fail(_image: Tensor) -> Tensor:
        raise RuntimeError("Traceback of TorchScript:\n  secret.py line 3\nshapes do not fit")

    with pytest.raises(ModelFailed, match=r"^The model raised: shapes do not fit$"):
        model_of(fail).forward([ROWS])


def test_pictures_reach_the_model_in_its_layout() -> None:
    seen = []

    def look(image: Tensor) -> Tensor:
        seen.append(image.is_contiguous(memory_format=torch.channels_last))
        return image.mean(dim=(2, 3))

    LoadedModel(colour_manifest(), Answers(look), layout=Layout.PIXELS).forward([torch.rand(2, 3, 8, 8)])

    assert seen == [True]


def test_an_error_without_words_is_called_by_its_class() -> None:
    assert last_line(KeyError()) == "KeyError"


@pytest.mark.parametrize(("module", "forks"), [(ForkingColourModel(work=1), True), (ColourModel(), False)])
def test_it_says_whether_it_forks(module: nn.Module, forks: bool) -> None:
    scripted = torch.jit.script(module.eval())

    assert LoadedModel(colour_manifest(), scripted).forks is forks
    assert LoadedModel(colour_manifest(), torch.jit.freeze(scripted)).forks is forks
    assert not LoadedModel(colour_manifest(), module).forks
