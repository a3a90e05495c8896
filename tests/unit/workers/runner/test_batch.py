"""A batch gives each row its own outcome, whatever its neighbours, the model and the pipeline do."""

import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from torch import Tensor, nn

from app.inference.messages import Form, InferRequest
from app.scenarios.images import ImageParameters, decode_answer
from model_store.manifest import ARTIFACT_FILE, TensorSpec
from tests.factories.models import ColourModel, FailsOnBlack, FoldsBatch, colour_manifest, save_scripted
from tests.factories.pictures import answers_colour, plain_picture
from workers.runner.batch import BatchRunner, Work
from workers.runner.calls import Call, Row
from workers.runner.loader import load_model
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.images import ImagePipeline
from workers.runner.pipelines.tensors import TensorPipeline


class Broken(ImagePipeline):
    """Has a bug that one picture sets off."""

    def prepare(self, data: bytes, parameters: ImageParameters) -> Any:
        if data == b"bug":
            raise KeyError("bug")
        return super().prepare(data, parameters)

    def encode(self, rows: Any, outputs: Any) -> Any:
        if any(row.context == (66, 6) for row in rows):
            raise ZeroDivisionError("bug")
        return super().encode(rows, outputs)


def make_runner(folder: Path, module: nn.Module | None = None, **changes: Any) -> BatchRunner:
    """Return a batch runner of a tiny model."""
    save_scripted(module or ColourModel(), folder / ARTIFACT_FILE)
    manifest = colour_manifest(**changes)
    pipelines = {Form.SCENARIO: Broken(manifest, Limits()), Form.TENSORS: TensorPipeline(manifest, Limits())}
    return BatchRunner(load_model(folder, manifest), pipelines)


def make_rows(pictures: list[bytes]) -> list[Row]:
    """Return the rows of one call."""
    request = InferRequest(call_id=1, deadline=time.monotonic() + 60.0)
    return Call(b"caller", request, pictures, parameters=ImageParameters()).rows


def run(runner: BatchRunner, pictures: list[bytes]) -> list[Work]:
    """Prepare and run pictures as one batch."""
    works = runner.prepare(make_rows(pictures))
    runner.forward(works, limit=len(pictures))
    return works


def codes(works: list[Work]) -> list[str]:
    """Return each row's error code, empty where it has an answer."""
    return [getattr(work.answer, "code", "") for work in works]


@pytest.mark.parametrize("seed", range(3))
def test_random_rows_keep_their_answers(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    colours = [(dice.randrange(256), dice.randrange(256), dice.randrange(256)) for _ in range(50)]

    works = run(make_runner(tmp_path), [plain_picture(colour) for colour in colours])

    for work, colour in zip(works, colours, strict=True):
        assert isinstance(work.answer, bytes)
        assert answers_colour(decode_answer(work.answer), colour)


def test_rows_of_different_shapes_do_not_meet(tmp_path: Path) -> None:
    free = [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, -1, -1])]
    steps = colour_manifest().preprocessing
    unsized = msgspec.structs.replace(steps, steps=steps.steps[1:])
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 9, 9)]
    sizes = [(4, 4), (5, 3), (4, 4), (9, 9)]

    works = run(
        make_runner(tmp_path, inputs=free, preprocessing=unsized),
        [plain_picture(colour, size=size) for colour, size in zip(colours, sizes, strict=True)],
    )

    for work, colour, size in zip(works, colours, sizes, strict=True):
        assert isinstance(work.answer, bytes)
        answer = decode_answer(work.answer)
        assert answers_colour(answer, colour)
        assert (answer.width, answer.height) == size


def test_bad_rows_fail_alone(tmp_path: Path) -> None:
    good = plain_picture((1, 2, 3))

    works = run(make_runner(tmp_path), [b"nothing", good, b"bug", good])

    assert codes(works) == ["unsupported_image", "", "model_failed", ""]


def test_a_bug_in_encoding_fails_its_row_alone(tmp_path: Path) -> None:
    good, bad = plain_picture((1, 2, 3)), plain_picture((1, 2, 3), size=(66, 6))

    assert codes(run(make_runner(tmp_path), [good, bad, good])) == ["", "model_failed", ""]


def test_the_row_a_model_raises_on_fails_alone(tmp_path: Path) -> None:
    colours = [(1, 0, 0), (0, 0, 0), (0, 1, 0)]

    assert codes(run(make_runner(tmp_path, FailsOnBlack()), [plain_picture(each) for each in colours])) == [
        "", "model_failed", "",
    ]  # fmt: skip


def test_a_batch_with_too_few_answers_is_run_row_by_row(tmp_path: Path) -> None:
    works = run(make_runner(tmp_path, FoldsBatch()), [plain_picture((255, 0, 0)), plain_picture((0, 0, 255))])

    labels = [decode_answer(work.answer).labels[0].label for work in works if isinstance(work.answer, bytes)]
    assert labels == ["red", "blue"]


def test_a_model_that_answers_nonsense_fails_every_row(tmp_path: Path) -> None:
    class Flat(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.mean()

    assert codes(run(make_runner(tmp_path, Flat()), [plain_picture((1, 2, 3))] * 2)) == ["model_failed"] * 2


def test_times_are_told(tmp_path: Path) -> None:
    assert all(work.compute_s > 0.0 for work in run(make_runner(tmp_path), [plain_picture((1, 2, 3))]))
