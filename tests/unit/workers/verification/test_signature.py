"""What a manifest leaves out is found out: inputs from samples, outputs from answers, names from either."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.errors import MissingSignature, SignatureMismatch
from model_store.manifest import Manifest, TensorSpec
from model_store.signature import Sample, encode_samples, from_array
from tests.factories.models import save_scripted
from workers.verification.signature import complete_signature

IDS = TensorSpec(name="ids", datatype="INT64", shape=[-1, -1])
ROW = from_array("x", "FP32", np.ones((1, 4), dtype=np.float32))


class Embeds(nn.Module):
    """Takes two inputs of free length; the second output is as long as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, ids: Tensor, mask: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        return self.table(ids).mean(dim=1) * scale, ids * mask


class Answers(NamedTuple):
    scores: Tensor
    best: Tensor


class AnswersByName(nn.Module):
    def forward(self, x: Tensor) -> Answers:
        return Answers(x.softmax(1), x.argmax(1))


class AnswersDictionary(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"best": x.argmax(1), "scores": x.double()}


class CountsLetters(nn.Module):
    def forward(self, texts: list[str]) -> Tensor:
        return torch.tensor([len(text) for text in texts])


class AddsUp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum()


def completed(folder: Path, module: nn.Module, samples: list[Sample], **fields: list[TensorSpec]) -> Manifest:
    save_scripted(module, folder / "model.pt")
    if samples:
        (folder / "samples.json").write_bytes(encode_samples(samples))
    return complete_signature(folder, Manifest(**fields))


def shapes(specs: list[TensorSpec]) -> dict[str, tuple[str, list[int]]]:
    return {spec.name: (spec.datatype, spec.shape) for spec in specs}


def test_a_whole_signature_is_left_alone(tmp_path: Path) -> None:
    manifest = Manifest(inputs=[IDS], outputs=[IDS])

    assert complete_signature(tmp_path / "without artifact", manifest) is manifest


def test_inputs_are_in_forwards_order_and_free_where_samples_differ(tmp_path: Path) -> None:
    samples = [
        Sample(
            inputs=[
                from_array("mask", "INT64", np.ones((2, length), dtype=np.int64)),
                from_array("ids", "INT64", np.zeros((2, length), dtype=np.int64)),
            ],
            outputs=[],
        )
        for length in (3, 5)
    ]
    manifest = completed(tmp_path, Embeds(), samples)

    assert shapes(manifest.inputs) == {"ids": ("INT64", [-1, -1]), "mask": ("INT64", [-1, -1])}
    assert [spec.name for spec in manifest.inputs] == ["ids", "mask"]


def test_free_dimensions_of_outputs_follow_those_of_inputs(tmp_path: Path) -> None:
    mask = TensorSpec(name="mask", datatype="INT64", shape=[-1, -1])
    manifest = completed(tmp_path, Embeds(), [], inputs=[IDS, mask])

    assert shapes(manifest.outputs) == {"output_0": ("FP32", [-1, 4]), "output_1": ("INT64", [-1, -1])}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (AnswersByName(), {"scores": ("FP32", [-1, 4]), "best": ("INT64", [-1])}),
        (AnswersDictionary(), {"best": ("INT64", [-1]), "scores": ("FP64", [-1, 4])}),
        (nn.Linear(4, 2), {"output": ("FP32", [-1, 2])}),
    ],
)
def test_outputs_are_named_as_the_model_names_them(
    tmp_path: Path, module: nn.Module, expected: dict[str, tuple[str, list[int]]]
) -> None:
    manifest = completed(tmp_path, module, [Sample(inputs=[ROW], outputs=[])])

    assert shapes(manifest.outputs) == expected
    assert list(shapes(manifest.outputs)) == list(expected)


def test_the_samples_names_of_outputs_are_taken(tmp_path: Path) -> None:
    output = from_array("probability", "FP32", np.ones((1, 2), dtype=np.float32))
    manifest = completed(tmp_path, nn.Linear(4, 2), [Sample(inputs=[ROW], outputs=[output])])

    assert shapes(manifest.outputs) == {"probability": ("FP32", [-1, 2])}


def test_a_fixed_number_of_rows_stays_fixed(tmp_path: Path) -> None:
    inputs = [TensorSpec(name="x", datatype="FP32", shape=[5, 4])]
    manifest = completed(tmp_path, nn.Linear(4, 2), [], inputs=inputs)

    assert shapes(manifest.outputs) == {"output": ("FP32", [5, 2])}


def test_strings_are_bytes(tmp_path: Path) -> None:
    texts = from_array("texts", "BYTES", np.array(["a", "bc"], dtype=object))
    manifest = completed(tmp_path, CountsLetters(), [Sample(inputs=[texts], outputs=[])])

    assert shapes(manifest.inputs) == {"texts": ("BYTES", [-1])}
    assert shapes(manifest.outputs) == {"output": ("INT64", [-1])}


def test_without_inputs_and_samples_the_parameters_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingSignature, match="forward takes ids, mask"):
        completed(tmp_path, Embeds(), [])


def test_a_sample_without_inputs_shows_none(tmp_path: Path) -> None:
    with pytest.raises(MissingSignature, match="neither has the first sample"):
        completed(tmp_path, Embeds(), [Sample(inputs=[], outputs=[])])


@pytest.mark.parametrize(
    ("module", "inputs", "sentence"),
    [
        (AddsUp(), [TensorSpec(name="x", datatype="FP32", shape=[-1, 4])], "'output' is a single number"),
        (
            nn.Linear(4, 2),
            [TensorSpec(name="x", datatype="FP32", shape=[-1, 3])],
            r"inputs of shape \[1, 3\]",
        ),
        (nn.Identity(), [TensorSpec(name="x", datatype="BYTES", shape=[-1])], "raised on inputs"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, module: nn.Module, inputs: list[TensorSpec], sentence: str) -> None:
    with pytest.raises(SignatureMismatch, match=sentence):
        completed(tmp_path, module, [], inputs=inputs)


def test_samples_that_lack_an_input_are_told(tmp_path: Path) -> None:
    with pytest.raises(SignatureMismatch, match="lacks the tensor 'ids'"):
        completed(tmp_path, nn.Linear(4, 2), [Sample(inputs=[ROW], outputs=[])], inputs=[IDS])
