"""Events meet what their sequence remembers, in order, once, whatever comes between. With Redis: tests/integration."""

import random
from collections import defaultdict
from pathlib import Path

import pytest

from app.errors import GalleyError, QueueFull
from tests.factories.sequences import (
    CRASHES,
    FoldingPipeline,
    answers_of,
    folded,
    make_event,
    make_event_rows,
    make_folds,
    told,
)
from tests.fakes.sequences import FakeSequenceStore
from workers.runner.pipelines.base import PreparedRow
from workers.runner.sequence_store import SequenceState
from workers.runner.sequences import MOST_TRIES, SequenceRunner


@pytest.fixture
def store() -> FakeSequenceStore:
    return FakeSequenceStore()


@pytest.fixture
def runner(tmp_path: Path, store: FakeSequenceStore) -> SequenceRunner:
    return make_folds(tmp_path, store)


def test_a_batch_of_many_sequences_takes_two_trips(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    answers = answers_of(runner, [make_event(f"account-{number}", number) for number in range(20)])

    assert answers == [folded([number]) for number in range(20)]
    assert store.trips == ["read", "move"]


@pytest.mark.parametrize("seed", range(5))
def test_each_sequence_sees_its_own_events_in_order(runner: SequenceRunner, seed: int) -> None:
    generator = random.Random(seed)
    seen: dict[str, list[int]] = defaultdict(list)
    for _ in range(10):
        events = [(f"a{generator.randrange(4)}", generator.randrange(10)) for _ in range(generator.randrange(1, 12))]
        wanted = []
        for key, number in events:
            seen[key].append(number)
            wanted.append(folded(seen[key]))
        assert answers_of(runner, [make_event(key, number) for key, number in events]) == wanted


def test_an_event_sent_again_moves_nothing(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    first = answers_of(runner, [make_event("a", 7, "e1"), make_event("a", 8, "e2")])

    assert answers_of(runner, [make_event("a", 99, "e1"), make_event("a", 1, "e3")]) == [first[0], folded([7, 8, 1])]
    assert next(iter(store.states.values())).version == 3


def test_an_event_twice_in_one_batch_moves_once(runner: SequenceRunner) -> None:
    answers = answers_of(runner, [make_event("a", 7, "e1"), make_event("a", 7, "e1"), make_event("a", 8, "e2")])

    assert answers == [folded([7]), folded([7]), folded([7, 8])]


def test_events_of_other_sequences_are_others_whatever_they_are_called(runner: SequenceRunner) -> None:
    assert answers_of(runner, [make_event("a", 7, "b:c")]) == [folded([7])]

    assert answers_of(runner, [make_event("a:b", 8, "c")]) == [folded([8])]


def test_a_bad_event_moves_nothing_and_spares_its_neighbours(runner: SequenceRunner) -> None:
    events = [make_event("a", 1), make_event("a", "x", "e1"), make_event("b", CRASHES), make_event("b", 2)]

    assert answers_of(runner, events) == [folded([1]), "unreadable_image", "model_failed", folded([2])]
    assert answers_of(runner, [make_event("a", 2, "e1")]) == [folded([1, 2])]


def test_an_event_that_is_late_moves_nothing(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    assert answers_of(runner, [make_event("a", 1)], left_s=-1.0) == ["deadline_exceeded"]
    assert store.states == {}


def test_numbered_events_come_one_after_the_other(runner: SequenceRunner) -> None:
    first = [make_event("s", 5, "1", number=1), make_event("s", 6, "3", number=3, after=1)]
    assert answers_of(runner, first) == [folded([5]), folded([5, 6])]

    gap = [make_event("s", 8, "5", number=5, after=4), make_event("s", 7, "4", number=4, after=3)]
    assert answers_of(runner, gap) == ["sequence_gap", folded([5, 6, 7])]
    assert answers_of(runner, [make_event("s", 7, number=4, after=3)]) == ["already_answered"]


def test_a_bad_numbered_event_has_had_its_number(runner: SequenceRunner) -> None:
    events = [make_event("s", "x", "1", number=1), make_event("s", 2, "2", number=2, after=1)]

    assert answers_of(runner, events) == ["unreadable_image", folded([2])]
    assert answers_of(runner, events) == ["unreadable_image", folded([2])]


def test_what_a_lost_sequence_answered_is_asked_for_in_vain(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    marked = {"mark": "session", "mark_number": 1}
    answers_of(runner, [make_event("s", 5, "1", number=1, **marked)])
    store.states.clear()

    events = [make_event("s", 6, f"{number}", number=number, after=number - 1, **marked) for number in (2, 3)]
    assert answers_of(runner, events) == ["sequence_lost"] * 2
    assert answers_of(runner, events[1:]) == ["sequence_lost"]
    assert store.states == {}


def test_what_follows_a_first_event_that_failed_is_not_lost(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    first = make_event("s", 5, "1", number=1, mark="session", mark_number=1)
    second = make_event("s", 6, "2", number=2, after=1, mark="session", mark_number=2)
    assert answers_of(runner, [first, second], left_s=-1.0) == ["deadline_exceeded", "sequence_gap"]
    assert answers_of(runner, [second]) == ["sequence_gap"]

    store.trips.clear()
    assert answers_of(runner, [first, second]) == [folded([5]), folded([5, 6])]
    assert store.trips == ["read", "move"]


def test_numbers_that_share_a_name_have_answers_of_their_own(runner: SequenceRunner) -> None:
    events = [make_event("s", number, f"{number % 2}", number=number, after=number - 1) for number in (1, 2, 3, 4)]

    first = answers_of(runner, events)
    assert first == [folded(range(1, number + 1)) for number in (1, 2, 3, 4)]
    assert answers_of(runner, events) == ["already_answered"] * 2 + first[2:]


def test_an_event_that_comes_again_to_another_version_is_told_which_one_answered(
    tmp_path: Path, store: FakeSequenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        FoldingPipeline, "answer_of", lambda _pipeline, version, answer: b"%d said %b" % (version, answer)
    )
    events = [make_event("a", 1, "e1"), make_event("a", "x", "e2", number=0)]
    old, new = (make_folds(tmp_path, store, version=version) for version in (1, 2))

    assert answers_of(old, events) == [folded([1]), "unreadable_image"]
    assert answers_of(new, events) == [f"1 said {folded([1])}", "unreadable_image"]
    assert answers_of(old, events) == [folded([1]), "unreadable_image"]


def test_an_answer_that_cannot_be_read_spares_its_neighbours(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    answers_of(runner, [make_event("a", 1, "e1")])
    store.kept = dict.fromkeys(store.kept, b"\x00{}")

    events = [make_event("a", 1, "e1"), make_event("a", 2), make_event("b", 3)]
    assert answers_of(runner, events) == ["model_failed", folded([1, 2]), folded([3])]


def test_what_others_moved_meanwhile_is_met_again(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    events = [make_event("a", 1, "e1"), make_event("a", 1, "e1"), make_event("b", 2)]
    other = _interfering(runner, store, times=1)

    assert answers_of(runner, events) == [folded([9, 1]), folded([9, 1]), folded([2])]
    assert other == [folded([9])]


def test_after_too_many_tries_the_caller_is_told(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    _interfering(runner, store, times=MOST_TRIES)

    assert answers_of(runner, [make_event("a", 1), make_event("b", 2)]) == ["sequence_moved", folded([2])]


@pytest.mark.parametrize("trip", ["read", "move"])
def test_no_event_overtakes_one_of_its_call_that_may_come_again(
    runner: SequenceRunner, store: FakeSequenceStore, trip: str
) -> None:
    events = [make_event(key, number, f"e{number}") for key, number in (("a", 1), ("a", 2), ("b", 3), ("a", 4))]
    works = runner.prepare(make_event_rows(events))
    store.is_away_for = {trip}
    runner.forward(works[:1], limit=64)
    store.is_away_for = set()
    runner.forward(works[1:], limit=64)

    assert told(works) == ["redis_unavailable", "sequence_gap", folded([3]), "sequence_gap"]
    assert [work.answer.is_retryable for work in works if isinstance(work.answer, GalleyError)] == [True] * 3
    assert answers_of(runner, events) == [folded([1]), folded([1, 2]), folded([3]), folded([1, 2, 4])]


def test_nor_one_of_its_batch(runner: SequenceRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    resume = FoldingPipeline.resume

    def refuse_ones(pipeline: FoldingPipeline, state: bytes, data: bytes, parameters: object) -> PreparedRow:
        if data == b"1":
            raise QueueFull("The test has no room for it.")
        return resume(pipeline, state, data, parameters)

    monkeypatch.setattr(FoldingPipeline, "resume", refuse_ones)
    events = [make_event("a", 0, "e0"), make_event("a", 1, "e1"), make_event("a", 0, "e0"), make_event("a", 2, "e2")]
    works = runner.prepare([*make_event_rows(events), *make_event_rows([make_event("a", 3)])])
    runner.forward(works, limit=64)

    assert told(works) == [folded([0]), "queue_full", folded([0]), "sequence_gap", folded([0, 3])]


@pytest.mark.parametrize("trip", ["read", "move"])
def test_without_the_store_nothing_is_answered(runner: SequenceRunner, store: FakeSequenceStore, trip: str) -> None:
    store.is_away_for = {trip}

    assert answers_of(runner, [make_event("a", 1, "e1"), make_event("b", 2)]) == ["redis_unavailable"] * 2
    assert store.states == {}


def test_a_bad_event_is_told_though_the_store_went_away(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    store.is_away_for = {"move"}

    assert answers_of(runner, [make_event("a", "x"), make_event("b", 2)]) == ["unreadable_image", "redis_unavailable"]


def test_a_move_nobody_heard_of_is_answered_when_sent_again(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    store.loses_answers = True
    assert answers_of(runner, [make_event("a", 1, "e1")]) == ["redis_unavailable"]
    store.loses_answers = False

    assert answers_of(runner, [make_event("a", 1, "e1"), make_event("a", 2)]) == [folded([1]), folded([1, 2])]


def test_marks_are_set_with_the_move(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    answers_of(runner, [make_event("a", number, mark="session", mark_number=number) for number in (1, 2)])

    assert store.marks == {"session": 2}


def test_an_answer_kept_of_another_caller_sets_the_mark_of_this_one(
    runner: SequenceRunner, store: FakeSequenceStore
) -> None:
    answers_of(runner, [make_event("a", 1, "e1"), make_event("a", 1, "e1", mark="twin", mark_number=4)])
    answers_of(runner, [make_event("a", 1, "e1", mark="late", mark_number=7)])

    assert store.marks == {"twin": 4, "late": 7}


def test_no_kept_answer_is_told_whose_mark_could_not_be_set(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    answers_of(runner, [make_event("a", 1, "e1")])
    store.is_away_for = {"marks"}

    assert answers_of(runner, [make_event("a", 1, "e1", mark="m", mark_number=7)]) == ["redis_unavailable"]


def test_an_event_that_was_refused_sets_no_mark(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    events = [make_event("a", content, mark="m", mark_number=n) for n, content in enumerate(["1", "x"], 1)]
    assert answers_of(runner, events) == [folded([1]), "unreadable_image"]

    assert store.marks == {"m": 1}


def test_rows_without_a_sequence_pass_through(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    rows = make_event_rows([make_event("a", 1)])
    rows[0].sequence = None
    works = runner.prepare(rows)
    runner.forward(works, limit=8)

    assert works[0].answer == folded([1]).encode()
    assert store.trips == []


def test_states_of_another_schema_are_not_met(runner: SequenceRunner, store: FakeSequenceStore) -> None:
    store.states["galley:state:folds:another:a"] = SequenceState(1, b"\xff" * 16)

    assert answers_of(runner, [make_event("a", 1)]) == [folded([1])]


def _interfering(runner: SequenceRunner, store: FakeSequenceStore, *, times: int) -> list[str]:
    """Have somebody else move the sequence `a` just before the next so many writes; return what that one is told."""
    heard: list[str] = []

    def interfere() -> None:
        if len(heard) < times:
            heard.append("")
            store.before_move, before = (lambda: None), store.before_move
            heard[-1] = answers_of(runner, [make_event("a", 9)])[0]
            store.before_move = before

    store.before_move = interfere
    return heard
