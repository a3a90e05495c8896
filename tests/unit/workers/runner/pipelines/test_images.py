"""The image pipeline alone: labels, scores, parameters, and manifests that do not fit the task."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.errors import InvalidFields, InvalidManifest, ModelFailed
from app.scenarios.images import ImageParameters, decode_answer
from model_store.manifest import Postprocessing, Preprocessing, Step, TensorSpec
from tests.factories.models import colour_manifest, tensor
from tests.factories.pictures import plain_picture
from workers.runner.pipelines import images
from workers.runner.pipelines.base import Limits, PreparedRow
from workers.runner.pipelines.image_decoding import decode_image
from workers.runner.pipelines.images import ImagePipeline


def make_pipeline(**changes: Any) -> ImagePipeline:
    """Return the pipeline of the colour model, its manifest changed."""
    return ImagePipeline(colour_manifest(**changes), Limits(max_image_pixels=10_000))


def scored(pipeline: ImagePipeline, outputs: Tensor, **parameters: Any) -> list[list[tuple[str, float]]]:
    """Return labels and scores for made-up outputs."""
    row = pipeline.prepare(plain_picture((1, 2, 3)), pipeline.read_parameters(parameters))
    answers = pipeline.encode([row] * len(outputs), [outputs])
    decoded = [decode_answer(answer) for answer in answers if isinstance(answer, bytes)]
    return [[(label.label, label.score) for label in answer.labels] for answer in decoded]


def test_prepares_what_the_signature_says() -> None:
    row = make_pipeline().prepare(plain_picture((255, 0, 51), size=(30, 20)), ImageParameters())

    assert row.context == (30, 20)
    assert tensor(row.inputs[0]).mean(dim=(2, 3)).tolist() == [pytest.approx([1.0, 0.0, 0.2])]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("softmax", lambda outputs: torch.softmax(outputs, dim=1)),
        ("sigmoid", torch.sigmoid),
        ("none", lambda outputs: outputs),
    ],
)
def test_scores_fall_and_follow_the_activation(activation: Any, expected: Callable[[Tensor], Tensor]) -> None:
    outputs = torch.tensor([[0.1, 2.0, -1.0], [3.0, 0.0, 1.0]])

    answers = scored(make_pipeline(postprocessing=Postprocessing(activation=activation)), outputs)

    assert [[label for label, _score in answer] for answer in answers] == [
        ["green", "red", "blue"],
        ["red", "blue", "green"],
    ]
    wanted = expected(outputs).sort(dim=1, descending=True).values
    assert [[score for _label, score in answer] for answer in answers] == [
        pytest.approx(row) for row in wanted.tolist()
    ]


def test_each_row_gets_as_many_labels_as_it_asked_for() -> None:
    pipeline = make_pipeline()
    rows = [
        pipeline.prepare(plain_picture((1, 2, 3)), pipeline.read_parameters({"top_k": top_k})) for top_k in (1, 3, 900)
    ]

    answers = pipeline.encode(rows, [torch.rand(3, 3)])

    assert [len(decode_answer(answer).labels) for answer in answers if isinstance(answer, bytes)] == [1, 3, 3]


def test_classes_without_names_are_called_by_their_index() -> None:
    (answer,) = scored(make_pipeline(labels=[]), torch.eye(3)[:1])

    assert answer[0][0] == "0"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_fail_their_row_only(value: float) -> None:
    pipeline = make_pipeline(postprocessing=Postprocessing(activation="none"))
    row = PreparedRow((torch.zeros(3, 8, 8),), (1, 1), pipeline.read_parameters({}))

    bad, good = pipeline.encode([row, row], [torch.tensor([[0.0, value, 1.0], [0.0, 1.0, 2.0]])])

    assert isinstance(bad, ModelFailed)
    assert isinstance(good, bytes)


@pytest.mark.parametrize("parameters", [{"top_k": 0}, {"top_k": -1}, {"top_k": 10**9}, {"top_k": "x"}, {"other": 1}])
def test_wrong_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields):
        make_pipeline().read_parameters(parameters)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [TensorSpec(name="image", datatype="FP32", shape=[-1, 3])]},
        {"outputs": [TensorSpec(name="scores", datatype="FP32", shape=[-1])]},
        {"labels": ["one"]},
        {"preprocessing": Preprocessing(steps=[])},
    ],
)
def test_manifests_of_another_shape_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest):
        make_pipeline(**changes)


def test_preprocessing_that_misses_the_signature_is_said_so() -> None:
    pipeline = make_pipeline(preprocessing=Preprocessing(mode="L", steps=[Step(op="to_image")]))

    with pytest.raises(ModelFailed, match="does not fit"):
        pipeline.prepare(plain_picture((1, 2, 3)), ImageParameters())


def test_pictures_of_a_free_size_keep_theirs() -> None:
    shape = [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, -1, -1])]
    manifest = colour_manifest()
    kept = msgspec.structs.replace(manifest.preprocessing, steps=manifest.preprocessing.steps[1:])

    row = make_pipeline(inputs=shape, preprocessing=kept).prepare(
        plain_picture((1, 2, 3), size=(7, 5)), ImageParameters()
    )

    assert list(row.inputs[0].shape) == [1, 3, 5, 7]


def test_large_pictures_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGE_PIXELS", 100)
    pipeline = make_pipeline()
    inside: list[Image.Image] = []
    most: list[int] = []

    def look(image: Image.Image, **options: Any) -> Image.Image:
        inside.append(image)
        most.append(len(inside))
        decoded = decode_image(image, **options)
        inside.remove(image)
        return decoded

    monkeypatch.setattr(images, "decode_image", look)
    data = plain_picture((1, 2, 3), size=(90, 90))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pipeline.prepare(data, ImageParameters()), range(40)))

    assert most == [1] * 40
