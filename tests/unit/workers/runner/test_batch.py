"""A batch gives each row its own outcome, whatever its neighbours, the model and the pipeline do."""

import gc
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from torch import Tensor, nn

from app.errors import InvalidTensor
from app.inference.messages import Form, InferRequest
from app.scenarios.images import ImageParameters, decode_answer
from model_store.manifest import ARTIFACT_FILE, Manifest, TensorSpec
from tests.factories.models import ColourModel, FailsOnBlack, FoldsBatch, colour_manifest, save_scripted
from tests.factories.pictures import answers_colour, plain_picture
from tests.factories.tensor_models import (
    Doubles,
    FailsOnNegative,
    Modulo,
    Shouts,
    doubles_manifest,
    echoes_manifest,
    parameters_of,
    shouts_manifest,
)
from tests.factories.tensors import Body, Sent, answer_json, json_body, make_body, read_outputs, spec
from workers.runner.batch import BatchRunner, Execution, Work
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


def tensor_runner(folder: Path, module: nn.Module, manifest: Manifest) -> BatchRunner:
    """Return a batch runner of a model of tensors."""
    save_scripted(module, folder / ARTIFACT_FILE)
    return BatchRunner(load_model(folder, manifest), {Form.TENSORS: TensorPipeline(manifest, Limits())})


def run_bodies(
    runner: BatchRunner, bodies: list[Body], *, limit: int = 8, left_s: float = 60.0
) -> tuple[list[Work], list[Execution]]:
    """Prepare and run v2 requests as one batch, each a call of its own."""
    request = InferRequest(call_id=1, deadline=time.monotonic() + left_s, form=Form.TENSORS)
    rows = [Call(b"caller", request, [body.data], parameters=parameters_of(body)).rows[0] for body in bodies]
    for row in rows:
        row.queued_at = time.monotonic()
    works = runner.prepare(rows)
    return works, runner.forward(works, limit=limit)


def doubles_body(block: Any, **members: Any) -> Body:
    """Return a request of a block of rows."""
    return make_body([Sent("x", "FP32", list(block.shape), block, is_binary=True)], **members)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_any_size_keep_their_rows(tmp_path: Path, seed: int) -> None:
    dice = np.random.default_rng(seed)
    blocks = [dice.random((dice.integers(0, 30), dice.integers(1, 4)), np.float32) for _ in range(40)]

    works, executions = run_bodies(
        tensor_runner(tmp_path, Doubles(), doubles_manifest()), [doubles_body(block) for block in blocks]
    )

    for work, block in zip(works, blocks, strict=True):
        assert isinstance(work.answer, bytes)
        outputs = read_outputs(work.answer)
        np.testing.assert_array_equal(np.reshape(outputs["twice"], block.shape), block * 2)
        np.testing.assert_allclose(np.asarray(outputs["sum"]), block.sum(axis=1), rtol=1e-6)
    assert sum(execution.size for execution in executions) == sum(map(len, blocks))
    assert max(execution.size for execution in executions) == 8


def test_a_request_of_no_rows_is_answered_without_the_model(tmp_path: Path) -> None:
    works, _ = run_bodies(
        tensor_runner(tmp_path, FailsOnNegative(), doubles_manifest()), [doubles_body(np.zeros((0, 5), np.float32))]
    )

    assert isinstance(works[0].answer, bytes)
    assert [output["shape"] for output in answer_json(works[0].answer)["outputs"]] == [[0, 0], [0]]


def test_a_bad_request_fails_alone(tmp_path: Path) -> None:
    good, negative = np.ones((3, 2), np.float32), -np.ones((2, 2), np.float32)
    bodies = [doubles_body(good), json_body(inputs=[]), doubles_body(negative), doubles_body(good), Body(b"{", None)]

    works, _ = run_bodies(tensor_runner(tmp_path, FailsOnNegative(), doubles_manifest()), bodies)

    assert codes(works) == ["", "invalid_tensor", "model_failed", "", "invalid_tensor"]


def test_texts_share_batches_and_keep_their_answers(tmp_path: Path) -> None:
    blocks = [[b"one", b"two"], [], [b"three"], [b"x" * size for size in range(20)]]
    bodies = [
        make_body(
            [Sent("texts", "BYTES", [len(block)], block), Sent("number", "INT64", [len(block)], np.arange(len(block)))]
        )
        for block in blocks
    ]

    works, executions = run_bodies(tensor_runner(tmp_path, Shouts(), shouts_manifest()), bodies)

    for work, block in zip(works, blocks, strict=True):
        assert isinstance(work.answer, bytes)
        outputs = read_outputs(work.answer)
        assert outputs["loud"] == [text.upper() for text in block]
        assert list(outputs["length"]) == [len(text) + index for index, text in enumerate(block)]
    assert [execution.size for execution in executions] == [8, 8, 7]


def test_a_signature_that_fixes_the_rows_is_neither_joined_nor_split(tmp_path: Path) -> None:
    fixed = doubles_manifest(
        inputs=[spec("x", "FP32", [3, 2])], outputs=[spec("twice", "FP32", [3, 2]), spec("sum", "FP32", [3])]
    )
    bodies = [doubles_body(np.full((3, 2), number, np.float32)) for number in (1, 2)]

    works, executions = run_bodies(tensor_runner(tmp_path, Doubles(), fixed), bodies, limit=2)

    assert codes(works) == ["", ""]
    assert [execution.size for execution in executions] == [3, 3]


def test_a_type_that_torch_cannot_compute_with_is_the_requests_fault(tmp_path: Path) -> None:
    body = make_body([Sent("x", "UINT16", [1, 2], np.ones((1, 2)), is_binary=True)])

    works, _ = run_bodies(tensor_runner(tmp_path, Modulo(), echoes_manifest("UINT16")), [body])

    assert codes(works) == ["invalid_tensor"]
    assert isinstance(works[0].answer, InvalidTensor)
    assert "UInt16" in works[0].answer.detail


def test_a_timeout_of_the_caller_counts_from_the_arrival(tmp_path: Path) -> None:
    block = np.ones((1, 2), np.float32)
    runner = tensor_runner(tmp_path, Doubles(), doubles_manifest())
    patient, hurried = (
        doubles_body(block, parameters={"timeout": 60_000_000}),
        doubles_body(block, parameters={"timeout": 1}),
    )

    works, executions = run_bodies(runner, [patient, hurried])

    assert codes(works) == ["", "deadline_exceeded"]
    assert [execution.size for execution in executions] == [1]


def test_nobody_computes_what_nobody_waits_for(tmp_path: Path) -> None:
    runner = tensor_runner(tmp_path, Doubles(), doubles_manifest())

    works, executions = run_bodies(runner, [doubles_body(np.ones((1, 2), np.float32))], left_s=-1.0)

    assert codes(works) == ["deadline_exceeded"]
    assert executions == []


def test_the_bytes_of_a_row_are_let_go_once_they_were_read(tmp_path: Path) -> None:
    works, _ = run_bodies(tensor_runner(tmp_path, Doubles(), doubles_manifest()), [json_body(inputs=[])])

    assert works[0].row.data == b""
    assert works[0].row.size_bytes > 0


def test_the_bytes_of_a_refused_row_are_let_go_without_the_collector(tmp_path: Path) -> None:
    runner = tensor_runner(tmp_path, Doubles(), doubles_manifest())
    body = Body(b'{"inputs": [{"name": "other"}]}' + bytes(1000), 31)
    gc.disable()
    try:
        before = sys.getrefcount(body.data)
        for _ in range(10):
            run_bodies(runner, [body])
        after = sys.getrefcount(body.data)
    finally:
        gc.enable()

    assert after == before
