"""A runner's life as its callers see it: loading, serving, failing, draining, nonsense on the wire."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.inference.messages import DrainRequest, InferReply, Lane, RunnerState, RunnerStatus
from app.scenarios.images import decode_answer
from tests.factories.models import FailsOnBlack, FoldsBatch, SlowColourModel, WrongWidth
from tests.factories.pictures import Colour, answers_colour, plain_picture
from tests.factories.runners import Caller, RunningRunner, make_spec, running
from tests.factories.tensor_models import Doubles, doubles_manifest
from tests.factories.tensors import Body, Sent, make_body, read_outputs
from tests.factories.waiting import wait_until
from workers.runner import body


def random_colours(count: int, seed: int) -> list[Colour]:
    """Return colours that differ enough to tell their answers apart; none is black."""
    dice = random.Random(seed)
    return [(dice.randrange(1, 256), dice.randrange(256), dice.randrange(256)) for _ in range(count)]


def test_answers_a_picture(caller: Caller) -> None:
    reply, answers = caller.classify([plain_picture((255, 0, 0), size=(40, 30))])

    assert answers[0] is not None
    assert answers[0].labels[0].label == "red"
    assert (answers[0].width, answers[0].height) == (40, 30)
    assert reply.compute_s > 0.0


def test_ready_status_tells_speed_and_capacity(caller: Caller) -> None:
    status = caller.status()

    assert (status.name, status.version, status.state) == ("colours", 1, RunnerState.READY)
    assert status.capacity_rows == 512
    assert status.rows_per_s > 0.0
    assert status.load_s > 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_random_rows_keep_their_answers(caller: Caller, seed: int, kind: str) -> None:
    """Many calls of several rows at once, through both ways of preparing: a swapped row shows."""
    dice = random.Random(seed)
    asked = {}
    for number in range(40):
        colours = random_colours(dice.randrange(1, 9), seed * 1000 + number)
        asked[caller.send([plain_picture(colour, kind=kind) for colour in colours])] = colours

    for _ in asked.copy():
        reply, frames = caller.receive()
        assert isinstance(reply, InferReply)
        colours = asked.pop(reply.call_id)
        for frame, colour in zip(frames, colours, strict=True):
            assert answers_colour(decode_answer(frame), colour)


@pytest.mark.parametrize("seed", range(2))
def test_heavy_models_keep_rows_apart_too(tmp_path: Path, socket_folder: Path, seed: int) -> None:
    spec = make_spec(tmp_path, socket_folder, HeavyColourModel(), queue_rows=64)
    colours = random_colours(24, seed)
    with running(spec) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        asked = {caller.send([plain_picture(colour)]): colour for colour in colours}
        for _ in colours:
            reply, frames = caller.receive()
            assert isinstance(reply, InferReply), reply
            assert answers_colour(decode_answer(frames[0]), asked.pop(reply.call_id))


@pytest.mark.parametrize("seed", range(2))
def test_random_tensors_keep_their_answers(tmp_path: Path, socket_folder: Path, seed: int) -> None:
    """Blocks of JSON and binary, small ones and large ones that the crew reads, some of them broken."""
    dice = np.random.default_rng(seed)
    spec = make_spec(tmp_path, socket_folder, Doubles(), manifest=doubles_manifest(), samples=None)
    with running(spec) as (_, caller):
        caller.wait_for(RunnerState.READY)
        blocks = [dice.random((dice.integers(0, 20), dice.choice([1, 3, 2000])), np.float32) for _ in range(60)]
        asked = {caller.send_tensors(_doubles_body(block, is_binary=bool(dice.integers(2)))): block for block in blocks}
        bad = {caller.send_tensors(Body(b'{"inputs": []}')) for _ in range(5)}

        for _ in range(65):
            reply, frames = caller.receive()
            assert isinstance(reply, InferReply)
            assert [failure.code for failure in reply.failures] == ["invalid_tensor"] * (reply.call_id in bad)
            if reply.call_id in asked:
                block = asked[reply.call_id]
                twice = read_outputs(frames[0])["twice"]
                np.testing.assert_array_equal(np.reshape(twice, block.shape), block * 2)


def _doubles_body(block: NDArray[np.float32], *, is_binary: bool) -> Body:
    return make_body([Sent("x", "FP32", list(block.shape), block, is_binary=is_binary)])


def test_an_image_classifier_can_be_asked_for_tensors(caller: Caller) -> None:
    image = np.zeros((1, 3, 8, 8), np.float32)
    image[:, 1] = 0.5
    caller.send_tensors(make_body([Sent("image", "FP32", [1, 3, 8, 8], image, is_binary=True)]))

    reply, frames = caller.receive()

    assert isinstance(reply, InferReply)
    np.testing.assert_allclose(np.asarray(read_outputs(frames[0])["scores"]), [[0.0, 5.0, 0.0]], rtol=1e-6)


def test_one_bad_row_leaves_its_neighbours(caller: Caller) -> None:
    good = plain_picture((0, 200, 0))

    reply, answers = caller.classify([good, b"no picture", good, b"", good])

    assert [(failure.row, failure.code) for failure in reply.failures] == [
        (1, "unsupported_image"),
        (3, "unreadable_image"),
    ]
    assert [answer is not None for answer in answers] == [True, False, True, False, True]


def test_a_row_the_model_raises_on_fails_alone(tmp_path: Path, socket_folder: Path) -> None:
    colours: list[Colour] = [(9, 0, 0), (0, 0, 0), (0, 9, 0), (0, 0, 9)]
    with running(make_spec(tmp_path, socket_folder, FailsOnBlack())) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        reply, answers = caller.classify([plain_picture(colour) for colour in colours])

    assert [(failure.row, failure.code) for failure in reply.failures] == [(1, "model_failed")]
    assert "Traceback" not in reply.failures[0].detail
    assert [bool(each and answers_colour(each, colour)) for each, colour in zip(answers, colours, strict=True)] == [
        True, False, True, True,
    ]  # fmt: skip


def test_a_model_that_folds_batches_is_run_row_by_row(tmp_path: Path, socket_folder: Path) -> None:
    colours: list[Colour] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0)]
    with running(make_spec(tmp_path, socket_folder, FoldsBatch(), samples=None)) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        _reply, answers = caller.classify([plain_picture(colour) for colour in colours])

    assert [answer and answer.labels[0].label for answer in answers] == ["red", "green", "blue", "green", "red"]


def test_pictures_over_the_pixel_limit_are_refused(caller: Caller) -> None:
    reply, _answers = caller.classify([plain_picture((1, 2, 3), size=(2000, 600))])

    assert reply.failures[0].code == "image_too_large"


def test_no_rows_are_answered_with_none(caller: Caller) -> None:
    reply, answers = caller.classify([])

    assert (reply.failures, answers) == ([], [])


def test_wrong_parameters_refuse_the_request(caller: Caller) -> None:
    assert caller.refused([plain_picture((1, 2, 3))], top_k=0).code == "validation_failed"


def test_a_passed_deadline_is_refused_before_work(caller: Caller) -> None:
    assert caller.refused([plain_picture((1, 2, 3))], timeout_s=-1.0).code == "deadline_exceeded"


def test_more_rows_than_the_queue_holds_are_refused(tmp_path: Path, socket_folder: Path) -> None:
    with running(make_spec(tmp_path, socket_folder, queue_rows=4)) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        refusal = caller.refused([plain_picture((1, 2, 3))] * 5)

    assert refusal.code == "queue_full"
    assert refusal.retry_after_s > 0.0


def test_a_busy_heavy_runner_refuses_what_it_cannot_hold_or_finish(tmp_path: Path, socket_folder: Path) -> None:
    picture = plain_picture((1, 2, 3))
    with running(make_spec(tmp_path, socket_folder, HeavyColourModel(), queue_rows=40)) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        held = caller.send([picture] * 40, lane=Lane.BATCH)
        hasty = caller.refused([picture], timeout_s=0.001, lane=Lane.BATCH)
        full = caller.refused([picture] * 40, lane=Lane.BATCH)
        reply, answers = caller.receive()

    assert hasty.code in {"queue_full", "deadline_exceeded"}
    assert full.code == "queue_full"
    assert isinstance(reply, InferReply)
    assert (reply.call_id, reply.failures, len(answers)) == (held, [], 40)


def test_draining_answers_what_is_held_and_refuses_the_rest(tmp_path: Path, socket_folder: Path) -> None:
    picture = plain_picture((1, 2, 3))
    with running(make_spec(tmp_path, socket_folder, HeavyColourModel())) as (runner, caller):
        caller.wait_for(RunnerState.READY)
        held = caller.send([picture] * 8)
        caller.send_raw(DrainRequest(call_id=99))
        late = caller.send([picture])
        answers = {reply.call_id: reply for reply, _frames in (caller.receive() for _ in range(3))}
        runner.join()

    drained = answers[99]
    assert isinstance(drained, RunnerStatus)
    assert drained.state is RunnerState.DRAINING
    assert isinstance(answers[held], InferReply)
    assert getattr(answers[late], "code", "") == "draining"
    assert runner.exit_code == 0


def test_a_drain_that_takes_too_long_refuses_what_waits(tmp_path: Path, socket_folder: Path) -> None:
    with running(make_spec(tmp_path, socket_folder, HeavyColourModel(), drain_s=0.05)) as (runner, caller):
        caller.wait_for(RunnerState.READY)
        caller.send([plain_picture((1, 2, 3))] * 200)
        wait_until(lambda: caller.status().queued_rows)
        runner.body.drain()
        reply, _frames = caller.receive()
        runner.join()

    assert getattr(reply, "code", "") == "draining"


def test_a_failed_load_tells_why_and_ends_with_one(
    tmp_path: Path, socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "FAILED_LINGER_S", 0.3)
    with running(make_spec(tmp_path, socket_folder, WrongWidth())) as (runner, caller):
        status = caller.wait_for(RunnerState.FAILED)
        refusal = caller.refused([plain_picture((1, 2, 3))])
        runner.join()

    assert "its signature says [-1, 3]" in status.reason
    assert refusal.code == "model_failed"
    assert runner.exit_code == 1


def test_a_wrong_digest_fails_the_load(tmp_path: Path, socket_folder: Path) -> None:
    with running(make_spec(tmp_path, socket_folder, digest="0" * 64)) as (_runner, caller):
        assert "manifest.json" in caller.wait_for(RunnerState.FAILED).reason


def test_requests_while_it_loads_are_refused(tmp_path: Path, socket_folder: Path) -> None:
    with running(make_spec(tmp_path, socket_folder, HeavyColourModel())) as (_runner, caller):
        assert caller.status().state is RunnerState.LOADING
        assert caller.refused([plain_picture((1, 2, 3))]).code == "model_loading"


def test_nonsense_on_the_wire_is_dropped(ready: tuple[RunningRunner, Caller], caplog: pytest.LogCaptureFixture) -> None:
    _runner, caller = ready

    caller.send_raw({"type": "nonsense"})

    wait_until(lambda: "no request" in caplog.text)
    assert caller.status().state is RunnerState.READY


def test_two_callers_with_the_same_ids_get_their_own(ready: tuple[RunningRunner, Caller]) -> None:
    runner, first = ready
    second = runner.caller()
    red, blue = plain_picture((255, 0, 0)), plain_picture((0, 0, 255))

    assert first.send([red]) == second.send([blue])

    labels = [decode_answer(caller.receive()[1][0]).labels[0].label for caller in (first, second)]
    assert labels == ["red", "blue"]


class HeavyColourModel(SlowColourModel):
    """Some milliseconds per row, whatever the batch: computed by the crew."""

    def __init__(self) -> None:
        super().__init__(work=6, side=512)
        self.tile = nn.Parameter(torch.eye(512).repeat(1, 1, 1), requires_grad=False)

    def forward(self, image: Tensor) -> Tensor:
        product: Tensor = self.tile.repeat(image.shape[0], 1, 1)
        for _ in range(self.work):
            product = torch.bmm(product, product)
        return image.mean(dim=(2, 3)) * 10.0 * product[:, :1, 0]


def test_requests_that_arrive_with_the_drain_are_refused_not_lost(ready: tuple[RunningRunner, Caller]) -> None:
    runner, caller = ready

    for _ in range(5):
        caller.send([plain_picture((1, 2, 3))])
    caller.send_raw(DrainRequest(call_id=99))
    late = {caller.send([plain_picture((1, 2, 3))]) for _ in range(5)}
    codes = {reply.call_id: getattr(reply, "code", "") for reply, _frames in (caller.receive() for _ in range(11))}
    runner.join()

    assert {call_id for call_id, code in codes.items() if code == "draining"} == late
