"""Admission and continuous batching, step by step on one thread: what is sent, refused, dropped, and when."""

import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inference.messages import Form, InferReply, InferRequest, Refusal, RunnerLoad, RunnerReply, decode_reply
from model_store.model_ref import ModelRef
from tests.factories.pictures import plain_picture
from tests.factories.tensor_models import Doubles, doubles_manifest
from tests.factories.tensors import Body, image_body, json_body
from tests.factories.waiting import wait_until
from tests.unit.workers.runner.test_batch import doubles_body, make_runner, tensor_runner
from workers.runner import door
from workers.runner.batcher import Batcher
from workers.runner.metrics import RunnerMetrics
from workers.runner.plan import ExecutionPlan
from workers.runner.row_queue import RowQueue

PLAN = ExecutionPlan(is_heavy=True, threads=1, cores=1, batch_limit=4, row_cost_s=0.01)
PICTURE = plain_picture((1, 2, 3))
SLOW_PICTURE = plain_picture((1, 2, 3), kind="BMP")  # only a PNG is quick: the crew prepares others


class Bench:
    """A batcher whose answers are kept instead of sent."""

    def __init__(self, folder: Path, *, plan: ExecutionPlan = PLAN, capacity: int = 10, runner: Any = None) -> None:
        self.sent: list[RunnerReply] = []
        self.calls = 0
        self.batcher = Batcher(
            runner or make_runner(folder),
            plan,
            RowQueue(capacity),
            RunnerMetrics(ModelRef("bench", 1)),
            send=lambda _identity, frames: self.sent.append(decode_reply(frames[0])),
            wake=lambda: None,
        )

    def submit(self, rows: int, *, left_s: float = 60.0, data: bytes = PICTURE, **fields: Any) -> None:
        """Submit a call of so many rows."""
        self.calls += 1
        request = InferRequest(call_id=self.calls, deadline=time.monotonic() + left_s, **fields)
        self.batcher.submit(b"caller", request, [data] * rows)

    def submit_tensors(self, body: Body) -> None:
        """Submit a v2 request."""
        parameters, deadline = {"json_bytes": body.json_bytes}, time.monotonic() + 60.0
        request = InferRequest(call_id=0, deadline=deadline, form=Form.TENSORS, parameters=parameters)
        self.batcher.submit(b"caller", request, [body.data])

    def pump_until(self, answers: int) -> None:
        """Pump until so many answers were sent."""

        def pump() -> bool:
            self.batcher.pump()
            return len(self.sent) >= answers

        wait_until(pump)

    def codes(self) -> list[str]:
        """Return the codes of refusals, empty for answers."""
        return [reply.code if isinstance(reply, Refusal) else "" for reply in self.sent]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.batcher.abandon()
    bench.batcher.close()


def test_takes_what_fits_and_refuses_the_rest(bench: Bench) -> None:
    bench.submit(6)
    bench.submit(4)
    bench.submit(1)

    assert bench.codes() == ["queue_full"]
    assert bench.batcher.queued_rows == 10
    bench.pump_until(3)
    assert bench.codes() == ["queue_full", "", ""]
    assert bench.batcher.queued_rows == 0


def test_an_empty_runner_tries_whatever_the_deadline(bench: Bench) -> None:
    bench.batcher.row_cost_s = 100.0
    bench.submit(1, left_s=5.0)
    bench.pump_until(1)

    assert bench.codes() == [""]


def test_what_expires_while_it_waits_is_dropped_before_work(bench: Bench) -> None:
    bench.submit(2, left_s=0.05)
    expires_at = time.monotonic() + 0.05
    wait_until(lambda: time.monotonic() > expires_at)

    bench.batcher.pump()

    assert bench.codes() == ["deadline_exceeded"]
    assert bench.batcher.queued_rows == 0


def test_expired_calls_make_room(bench: Bench) -> None:
    bench.submit(10, left_s=0.02)
    expires_at = time.monotonic() + 0.02
    wait_until(lambda: time.monotonic() > expires_at)

    bench.submit(10)

    assert bench.codes() == ["deadline_exceeded"]
    assert bench.batcher.queued_rows == 10


@pytest.mark.parametrize("picture", [PICTURE, SLOW_PICTURE], ids=["quick", "slow"])
def test_light_models_compute_here(tmp_path: Path, picture: bytes) -> None:
    bench = Bench(tmp_path, plan=replace(PLAN, is_heavy=False))
    for _ in range(3):
        bench.submit(3, data=picture)
    bench.pump_until(3)
    bench.batcher.close()

    assert bench.codes() == ["", "", ""]
    assert bench.batcher.queued_rows == 0


def test_rows_beyond_the_next_batches_wait_where_they_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan=replace(PLAN, is_heavy=False, batch_limit=2), capacity=10)
    for _ in range(3):
        bench.submit(10)
        bench.batcher.pump()

    assert "queue_full" in bench.codes()
    assert bench.batcher.queued_rows <= 10 + 4
    bench.batcher.abandon()
    bench.batcher.close()


def test_a_row_costs_what_was_measured(bench: Bench) -> None:
    bench.batcher.row_cost_s = 100.0
    bench.submit(4)
    bench.pump_until(1)

    assert 50.0 < bench.batcher.row_cost_s < 100.0


def test_closing_answers_what_was_begun_and_refuses_what_waits(bench: Bench) -> None:
    bench.submit(2)
    bench.batcher.pump()
    bench.submit(4)

    bench.batcher.abandon()
    bench.batcher.close()

    assert sorted(bench.codes()) == ["", "draining"]


def test_times_are_part_of_the_answer(bench: Bench) -> None:
    bench.submit(1)
    bench.pump_until(1)

    reply = bench.sent[0]
    assert isinstance(reply, InferReply)
    assert reply.compute_s > 0.0
    assert reply.queue_s >= 0.0


def test_answers_and_refusals_tell_how_busy_the_runner_is(bench: Bench) -> None:
    bench.submit(6, client_id="a")
    bench.submit(1, left_s=0.0)
    bench.submit(2, client_id="b")
    bench.pump_until(3)

    loads = [reply.load for reply in bench.sent if isinstance(reply, InferReply | Refusal)]
    assert loads[0] == RunnerLoad(queued_rows=6, computing_rows=0, clients=1, row_cost_s=0.01)
    assert loads[-1] is not None
    assert (loads[-1].queued_rows, loads[-1].computing_rows) == (0, 0)


def test_a_flooding_client_keeps_nobody_waiting(bench: Bench) -> None:
    for _ in range(5):
        bench.submit(2, client_id="flood")
    bench.submit(2, client_id="polite")
    bench.submit(1, client_id="flood")
    bench.pump_until(7)

    assert bench.codes() == ["share_exceeded", *[""] * 6]
    order = [reply.call_id for reply in bench.sent if isinstance(reply, InferReply)]
    assert order.index(6) <= 2


def test_waiting_bytes_are_bounded_but_for_a_call_that_is_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_HELD_BYTES", 1000)
    bench.submit(1, data=bytes(5000))
    bench.submit(1, data=bytes(1))

    assert bench.codes() == ["queue_full"]
    bench.batcher.pump()
    bench.submit(1, data=bytes(1))
    assert bench.codes()[-1] == "queue_full"
    bench.pump_until(3)
    bench.submit(2, data=bytes(500))
    assert bench.batcher.queued_rows == 2


def test_a_model_without_a_scenario_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, runner=tensor_runner(tmp_path, Doubles(), doubles_manifest(task="ranking")))
    bench.submit(1)
    bench.batcher.close()

    refusal = bench.sent[0]
    assert isinstance(refusal, Refusal)
    assert (refusal.code, "ranking" in refusal.detail) == ("wrong_task", True)


def test_parameters_of_tensors_are_checked(bench: Bench) -> None:
    bench.submit_tensors(Body(b"{}", -1))

    assert bench.codes() == ["invalid_tensor"]


@pytest.mark.parametrize("is_heavy", [False, True])
def test_pictures_and_tensors_are_answered_side_by_side(tmp_path: Path, is_heavy: bool) -> None:
    bench = Bench(tmp_path, plan=replace(PLAN, is_heavy=is_heavy))
    tensors = np.ones((6, 3, 8, 8), np.float32)
    bench.submit(2)
    bench.submit_tensors(image_body(tensors))
    bench.submit_tensors(json_body(inputs=[]))
    bench.submit(1)
    bench.pump_until(4)
    bench.batcher.close()

    failures = [[failure.code for failure in reply.failures] for reply in bench.sent if isinstance(reply, InferReply)]
    assert sorted(failures) == [[], [], [], ["invalid_tensor"]]
    assert bench.batcher.queued_rows == 0


def test_a_long_block_of_a_light_model_leaves_the_sockets_thread_free(tmp_path: Path) -> None:
    runner = tensor_runner(tmp_path, Doubles(), doubles_manifest())
    bench = Bench(tmp_path, plan=replace(PLAN, is_heavy=False, row_cost_s=0.01), runner=runner)
    bench.submit_tensors(doubles_body(np.ones((50, 2), np.float32)))

    bench.batcher.pump()

    assert not bench.batcher.has_work
    assert bench.batcher.queued_rows == 1
    bench.pump_until(1)
    assert bench.codes() == [""]
    bench.batcher.close()


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_the_bytes_of_calls_that_are_over_are_let_go_without_the_collector(tmp_path: Path) -> None:
    bench = Bench(tmp_path, capacity=2)
    data = bytes(1000)
    before = sys.getrefcount(data)
    for rows, left_s in ((3, 60.0), (1, 0.0), (1, 0.001)):
        bench.submit(rows, data=data, left_s=left_s)
    time.sleep(0.01)
    bench.batcher.pump()
    after = sys.getrefcount(data)

    assert len(bench.sent) == 3
    assert after == before


@pytest.mark.usefixtures("no_collector")
def test_an_answer_is_let_go_with_its_call(tmp_path: Path) -> None:
    answers: list[bytes] = []
    bench = Bench(tmp_path, runner=tensor_runner(tmp_path, Doubles(), doubles_manifest()))
    bench.batcher._send = lambda _identity, frames: answers.append(frames[1])
    bench.submit_tensors(doubles_body(np.ones((1, 1), np.float32)))
    while not answers:
        bench.batcher.pump()
    held = sys.getrefcount(answers[0])

    assert held == 2
