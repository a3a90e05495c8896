"""A call's answer grows row by row, in whatever order they are done."""

import random

import pytest

from app.errors import ModelFailed
from app.inference.messages import InferReply, InferRequest, RowFailure, RunnerLoad, decode_reply
from workers.runner.calls import Call

LOAD = RunnerLoad(queued_rows=5, computing_rows=3, clients=2, row_cost_s=0.01)


def make_call(rows: int) -> Call:
    """Return a call of so many rows."""
    return Call(b"caller", InferRequest(call_id=7, deadline=9.0), [b"row"] * rows, parameters=None)


@pytest.mark.parametrize("seed", range(3))
def test_answers_stand_in_the_order_asked(seed: int) -> None:
    call = make_call(20)
    order = list(range(20))
    random.Random(seed).shuffle(order)

    over = [call.finish(index, b"%d" % index) for index in order]

    assert over == [False] * 19 + [True]
    assert call.reply(LOAD)[1:] == [b"%d" % index for index in range(20)]


def test_failures_are_told_by_row_and_leave_an_empty_frame() -> None:
    call = make_call(3)
    for index, answer in ((2, ModelFailed("second")), (0, ModelFailed("first")), (1, b"fine")):
        call.finish(index, answer)

    header, *frames = call.reply(LOAD)

    reply = decode_reply(header)
    assert isinstance(reply, InferReply)
    assert frames == [b"", b"fine", b""]
    assert reply.failures == [
        RowFailure(row=0, code="model_failed", detail="first"),
        RowFailure(row=2, code="model_failed", detail="second"),
    ]


def test_the_slowest_row_gives_the_times() -> None:
    call = make_call(2)
    call.took(queue_s=0.1, compute_s=0.5)
    call.took(queue_s=0.3, compute_s=0.2)

    reply = decode_reply(call.reply(LOAD)[0])

    assert isinstance(reply, InferReply)
    assert (reply.call_id, reply.queue_s, reply.compute_s, reply.load) == (7, 0.3, 0.5, LOAD)
