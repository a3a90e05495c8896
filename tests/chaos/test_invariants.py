"""Planted violations are found, and what is in order is not."""

import pytest

from tests.chaos.invariants import CALM_S, GRACE_S, too_silent, unanswered, unexplained
from tests.chaos.journal import ANSWERED, LONG_S, Failure, Journal, Silence, Struck

REDIS = Struck(name="kill Redis", whom="", excuses=frozenset({"redis_unavailable"}), at_s=10, back_s=20, silence_s=5)


def failure(symptom: str, began_s: float, ended_s: float) -> Failure:
    return Failure(kind="payment", symptom=symptom, began_s=began_s, ended_s=ended_s)


@pytest.mark.parametrize(
    ("began_s", "ended_s", "is_explained"),
    [
        (15, 16, True),
        (5, 10, True),
        (20 + GRACE_S, 30, True),
        (5, 9.9, False),
        (20.1 + GRACE_S, 30, False),
    ],
)
def test_a_blow_explains_what_fails_at_its_time(began_s: float, ended_s: float, is_explained: bool) -> None:
    found = list(unexplained([failure("redis_unavailable", began_s, ended_s)], [REDIS]))

    assert (not found) == is_explained


@pytest.mark.parametrize("symptom", ["runner_lost", "connection", "status 500 internal_error", "final event_too_late"])
def test_a_blow_explains_nothing_else(symptom: str) -> None:
    [violation] = unexplained([failure(symptom, 15, 16)], [REDIS])

    assert violation.rule == "explained"
    assert symptom in violation.what


def test_any_blow_explains_an_overload_and_a_calm_none() -> None:
    assert list(unexplained([failure("queue_full", 15, 16)], [REDIS])) == []
    assert len(list(unexplained([failure("queue_full", 15, 16)], []))) == 1


def test_what_was_never_answered_is_named() -> None:
    journal = Journal()
    with journal.work("payment", "answered"):
        pass
    with pytest.raises(ConnectionError), journal.work("payment", "not answered"):
        raise ConnectionError

    assert [violation.what for violation in unanswered(journal)] == ["payment not answered"]
    assert journal.counts["payment", ANSWERED] == 1


def test_a_blow_is_over_when_all_is_back_and_not_before() -> None:
    journal = Journal()
    journal.strike(Struck(name="kill", whom="1", excuses=frozenset(), at_s=0))
    assert journal.struck[0].back_s == float("inf")

    journal.all_back()
    first = journal.struck[0].back_s
    journal.strike(Struck(name="kill", whom="2", excuses=frozenset(), at_s=0))
    journal.all_back()

    assert journal.struck[0].back_s == first < journal.struck[1].back_s < float("inf")


@pytest.mark.parametrize(
    ("began_s", "length_s", "is_allowed"),
    [(12, CALM_S + 5, True), (12, CALM_S + 5.1, False), (30, CALM_S, True), (30, CALM_S + 0.1, False)],
)
def test_a_blow_allows_no_more_than_its_time_without_an_answer(
    began_s: float, length_s: float, is_allowed: bool
) -> None:
    silence = Silence(kind="payment", began_s=began_s, ended_s=began_s + length_s)
    found = list(too_silent([silence], [REDIS]))

    assert [violation.rule for violation in found] == ([] if is_allowed else ["soon"])
    assert list(too_silent([silence], [REDIS], patience=2)) == []


def test_who_does_not_always_ask_may_be_without_an_answer() -> None:
    assert list(too_silent([Silence(kind="release", began_s=0, ended_s=1000)], [])) == []


def test_only_a_long_time_between_two_good_answers_is_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, moments = Journal(), iter([0.0, LONG_S, 3 * LONG_S, 50.0, 100.0])
    monkeypatch.setattr(journal, "now_s", lambda: next(moments))
    for _ in range(3):
        journal.good("payment")
    journal.begin()
    journal.good("payment")

    assert journal.silences == [Silence(kind="payment", began_s=LONG_S, ended_s=3 * LONG_S)]


def test_a_kind_that_is_never_answered_is_silent_from_the_beginning_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    journal, moments = Journal(), iter([5.0, 30.0, 31.0, 60.0, 99.0])
    monkeypatch.setattr(journal, "now_s", lambda: next(moments))
    journal.begin(["image", "payment"])
    journal.good("payment")
    journal.good("payment")
    journal.close_silences()
    journal.good("payment")

    assert {(silence.kind, silence.began_s, silence.ended_s) for silence in journal.silences} == {
        ("payment", 5.0, 30.0),
        ("image", 5.0, 60.0),
        ("payment", 31.0, 60.0),
    }
