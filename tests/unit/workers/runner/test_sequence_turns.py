"""Rows of one sequence go to one thread at a time, in their order, whatever the crew."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.inference.messages import InferReply, InferRequest, SequenceCall, decode_reply
from tests.factories.sequences import FoldingPipeline, folded, make_event, make_event_rows, make_folds
from tests.fakes.sequences import FakeSequenceStore
from tests.unit.workers.runner.test_batcher import Bench
from workers.runner.calls import Row
from workers.runner.plan import ExecutionPlan
from workers.runner.sequence_turns import SequenceTurns
from workers.runner.sequences import SequenceRunner

CREW = ExecutionPlan(is_heavy=True, threads=4, cores=1, batch_limit=8, row_cost_s=0.01)


def make_rows(*keys: str) -> list[Row]:
    return make_event_rows([make_event(key, 1) for key in keys])


def test_rows_of_one_sequence_go_together() -> None:
    rows = make_rows("a", "b", "a")

    assert SequenceTurns().begin(rows) == rows


def test_later_rows_wait_for_those_that_have_the_sequence() -> None:
    turns, (first, second, other, third) = SequenceTurns(), make_rows("a", "a", "b", "a")

    assert turns.begin([first]) == [first]
    assert turns.begin([second, other]) == [other]
    assert turns.begin([third]) == []
    assert not turns.has_next
    turns.end([first])
    assert turns.take_next() == [second, third]
    turns.end([second, third])
    assert not turns.has_next


def test_rows_without_a_sequence_wait_for_nobody() -> None:
    turns, (first, second) = SequenceTurns(), make_rows("a", "a")
    first.sequence = second.sequence = None

    assert turns.begin([first]) == [first]
    assert turns.begin([second]) == [second]
    turns.end([first, second])
    assert not turns.has_next


class FoldBench(Bench):
    """A batcher of Folds, whose answers are kept by call."""

    def __init__(self, runner: SequenceRunner, plan: ExecutionPlan = CREW) -> None:
        super().__init__(Path(), plan=plan, capacity=1000, runner=runner)
        self.told: dict[int, list[str]] = {}
        self.batcher._send = self._note

    def ask(self, events: list[tuple[bytes, SequenceCall]]) -> None:
        """Submit events as one call."""
        self.calls += 1
        sequences = [sequence for _, sequence in events]
        request = InferRequest(call_id=self.calls, deadline=time.monotonic() + 60.0, sequences=sequences)
        self.batcher.submit(b"caller", request, [row for row, _ in events])

    def _note(self, _identity: bytes, frames: list[bytes]) -> None:
        reply = decode_reply(frames[0])
        assert isinstance(reply, InferReply), reply
        self.sent.append(reply)
        self.told[reply.call_id] = [frame.decode() for frame in frames[1:]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FoldBench]:
    bench = FoldBench(make_folds(tmp_path, FakeSequenceStore()))
    yield bench
    bench.batcher.abandon()
    bench.batcher.close()


def test_a_crew_keeps_the_order_of_each_sequence(bench: FoldBench) -> None:
    generator, seen = random.Random(3), defaultdict[str, list[int]](list)
    wanted: dict[int, list[str]] = {}
    for call in range(1, 10):
        events = [(f"{call % 3}-{generator.randrange(2)}", generator.randrange(10)) for _ in range(20)]
        wanted[call] = []
        for key, number in events:
            seen[key].append(number)
            wanted[call].append(folded(seen[key]))
        bench.ask([make_event(key, number) for key, number in events])
        bench.batcher.pump()
        if call % 3 == 0:
            bench.pump_until(call)

    assert bench.told == wanted


def test_rows_that_wait_for_their_sequence_are_answered_before_the_end(bench: FoldBench) -> None:
    bench.ask([make_event("a", 1) for _ in range(20)])
    bench.batcher.pump()
    bench.batcher.abandon()
    bench.batcher.close()

    assert bench.told == {1: [folded([1] * count) for count in range(1, 21)]}
    assert bench.batcher.queued_rows == 0


def test_rows_that_take_long_to_prepare_do_not_fall_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FoldingPipeline, "is_quick", lambda _pipeline, data, _parameters: len(data) == 1)
    bench = FoldBench(make_folds(tmp_path, FakeSequenceStore()), replace(CREW, is_heavy=False, batch_limit=64))
    numbers = [1, 22, 3, 44, 5]
    bench.ask([make_event("a", number) for number in numbers])
    bench.pump_until(1)
    bench.batcher.close()

    assert bench.told == {1: [folded(numbers[:count]) for count in range(1, 6)]}


def test_a_batch_that_fails_unforeseen_ends_no_runner(bench: FoldBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise KeyError("a defect")

    # Its rows have answers by then, which nobody may be told.
    monkeypatch.setattr(FakeSequenceStore, "move", fail)
    bench.ask([make_event("a", 1), make_event("b", 2)])
    bench.pump_until(1)

    (reply,) = bench.sent
    assert isinstance(reply, InferReply)
    assert [failure.code for failure in reply.failures] == ["model_failed"] * 2
