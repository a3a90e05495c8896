"""Each number is answered once, whatever comes between: repeated, refused, failed, or lost and asked for again."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import (
    EventTooLate,
    GalleyError,
    InvalidFrame,
    ModelFailed,
    OutOfCredits,
    QueueFull,
    SequenceMoved,
    WrongTask,
)
from app.inference.messages import SequenceCall
from app.scenarios.fraud_events import decode_event
from app.scenarios.outcomes import Outcome
from app.scenarios.text import TextPiece, decode_piece
from app.services.fraud_sequence import ACCOUNT_KEEP_S, ANSWER_KEEP_S
from app.services.stream_sessions import mark_key
from app.web.sockets.calls import Undone
from app.web.sockets.streams import TEXT, TEXT_KEEP_S
from tests.factories.streams import CREDITS, ExchangeStand, make_limits, score

LATE = EventTooLate(7200.0, limit_s=3600)
LIMITS = make_limits()


@pytest.fixture
def payments() -> ExchangeStand:
    return ExchangeStand(limits=LIMITS)


@pytest.fixture
def texts() -> ExchangeStand:
    return ExchangeStand(TEXT, limits=LIMITS)


def error(seq: int, failure: GalleyError, **members: Any) -> dict[str, Any]:
    """Return the members of the frame that tells of a failure."""
    told = {"type": "error", "seq": seq, "code": failure.code, "detail": failure.detail}
    return {**told, "retryable": failure.is_retryable, **members}


def test_a_payment_is_scored(payments: ExchangeStand) -> None:
    payments.send(1)
    assert (payments.said, payments.exchange.is_idle, payments.exchange.credits) == ([], False, CREDITS - 1)
    payments.calls.conclude(score(0.5))

    model = {"name": "fraud", "version": 3, "variant": None}
    members = {"event_id": "e-1", "score": 0.5, "decision": "review", "reasons": [], "model": model}
    assert payments.said == [{"type": "score", "seq": 1, "credits": CREDITS, **members}]
    assert (payments.exchange.is_idle, payments.exchange.events, payments.exchange.last_seq) == (True, 1, 1)


def test_a_payment_moves_its_account_and_marks_its_session(payments: ExchangeStand) -> None:
    payments.send(1, account_id="a-7")
    [asked] = payments.calls.asked

    assert decode_event(asked.row).account_id == "a-7"
    assert asked.sequence == SequenceCall(
        key="a-7",
        keep_s=ACCOUNT_KEEP_S,
        event="e-1",
        answer_keep_s=ANSWER_KEEP_S,
        mark=mark_key(payments.session.id),
        mark_number=1,
        mark_keep_s=payments.session.keep_s,
    )


def test_a_piece_of_a_text_moves_its_session_in_order(texts: ExchangeStand) -> None:
    texts.write(1, "a")
    texts.write(2, "b", end=True)
    numbers = [(each.number, each.after, each.event) for each in texts.sequences()]
    places = {(each.key, each.keep_s, each.mark) for each in texts.sequences()}
    texts.calls.conclude(b'{"label":"x"}')

    assert numbers == [(1, 0, "1"), (2, 1, "2")]
    assert places == {(texts.session.id, TEXT_KEEP_S, mark_key(texts.session.id))}
    assert texts.said[0] == {"type": "prediction", "seq": 1, "credits": CREDITS - 1, "label": "x"}


def test_a_text_may_be_split_anywhere(texts: ExchangeStand) -> None:
    texts.write(1, base64=b"\xc3")
    texts.write(2, base64=b"\xa4")
    texts.write(3, "ä", end=True)
    texts.write(4, base64=b"")

    assert [decode_piece(event.row) for event in texts.calls.asked] == [
        TextPiece(b"\xc3"),
        TextPiece(b"\xa4"),
        TextPiece(b"\xc3\xa4", is_last=True),
        TextPiece(b""),
    ]


@pytest.mark.parametrize("members", [{}, {"text": "a", "base64": b"a"}, {"text": "", "base64": b""}])
def test_a_piece_comes_in_one_way_and_may_come_again(texts: ExchangeStand, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidFrame, match="either"):
        texts.write(1, **members)
    texts.write(1, "a")

    assert (texts.said, texts.calls.seqs(), texts.exchange.credits) == ([], [1], CREDITS - 1)


def test_a_number_that_was_answered_is_answered_again_without_asking(payments: ExchangeStand) -> None:
    payments.send(1, 2)
    payments.calls.conclude(score(0.5))
    payments.calls.conclude(LATE)
    first, refused = payments.hush()
    payments.send(2, 1)

    assert payments.said == [refused, first | {"credits": CREDITS}]
    assert len(payments.calls.asked) == 2


def test_a_number_under_way_is_not_asked_for_twice(payments: ExchangeStand) -> None:
    payments.send(1, 1)

    assert (payments.said, payments.calls.seqs()) == ([], [1])


def test_a_gap_is_refused(payments: ExchangeStand) -> None:
    payments.send(2)
    [told] = payments.said

    assert (told["code"], told["seq"], told["retryable"]) == ("sequence_skipped", 2, True)
    assert (payments.calls.asked, payments.exchange.last_seq) == ([], 0)


def test_credits_are_no_advice(payments: ExchangeStand) -> None:
    payments.send(*range(1, CREDITS + 1))
    with pytest.raises(OutOfCredits):
        payments.send(CREDITS + 1)


def test_who_sends_too_much_is_told_when_to_go_on() -> None:
    stand = ExchangeStand(limits=make_limits("1/day"))
    stand.send(1, 2)
    [told] = stand.said

    assert (told["seq"], told["code"], told["retryable"]) == (2, "rate_limited", True)
    assert 80_000 < told["retry_after_s"] <= 86_400
    assert (stand.calls.seqs(), stand.exchange.last_seq) == ([1], 1)


def test_what_failed_for_now_may_come_again(payments: ExchangeStand) -> None:
    failure = SequenceMoved.said("Another was first.")
    failure.retry_after_s = 1.0
    payments.send(1, 2)
    payments.calls.conclude(failure, 1)
    payments.calls.conclude(score(0.2), 2)
    payments.send(1)
    payments.calls.conclude(score(0.1))

    assert payments.said[0] == error(1, failure, retry_after_s=1.0)
    assert [(frame["seq"], frame.get("score")) for frame in payments.said[1:]] == [(2, 0.2), (1, 0.1)]


@pytest.mark.parametrize("failure", [QueueFull("No room."), WrongTask("fraud", "ranking", "sequence-scoring")])
def test_of_a_call_that_failed_nothing_is_known(payments: ExchangeStand, failure: GalleyError) -> None:
    payments.send(1)
    payments.calls.conclude(Undone(failure))
    [told] = payments.hush()
    payments.send(1)

    assert (told["code"], told["retryable"]) == (failure.code, True)
    assert (payments.calls.seqs(), payments.said) == ([1], [])


def test_what_is_refused_is_known_to_the_session_before_the_client(payments: ExchangeStand) -> None:
    marks = payments.sessions.marks
    payments.exchange._say = lambda _frame: payments.said.append(dict(marks))
    payments.send(1)
    payments.calls.conclude(LATE)
    payments.send(2, amount=-1)

    key = mark_key(payments.session.id)
    assert payments.said == [{key: 1}, {key: 2}]


def test_a_payment_that_is_none_uses_its_number_up(payments: ExchangeStand) -> None:
    payments.send(1, amount=-1, currency="USD")
    [told] = payments.hush()
    payments.send(1)

    assert (told["code"], sorted(told["errors"])) == ("validation_failed", ["amount", "currency"])
    assert (payments.said, payments.calls.asked) == ([told], [])
    assert payments.exchange.is_idle


def test_the_refusals_of_a_call_are_one_trip(payments: ExchangeStand, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    monkeypatch.setattr(payments.sessions, "note_answered", lambda _session, seq: noted.append(seq))
    payments.send(1, 2, 3)
    payments.calls.conclude_all([LATE, score(0.5), LATE])

    assert noted == [3]
    assert {told["seq"]: told.get("code") for told in payments.said} == {1: LATE.code, 2: None, 3: LATE.code}


def test_what_was_refused_holds_no_frame(payments: ExchangeStand) -> None:
    tracemalloc.start()
    try:
        for seq in range(1, 41):
            payments.send(seq, amount=-1, merchant_id="m" * 50_000)
        payments.hush()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 10 * 50_000


def test_what_the_runner_counts_is_not_counted_twice(texts: ExchangeStand) -> None:
    failure = ModelFailed("It raised.")
    texts.write(1, "a")
    texts.calls.conclude(failure)
    texts.write(1, "a")

    assert texts.said == [error(1, failure)] * 2
    assert (texts.sessions.marks, len(texts.calls.asked)) == ({}, 1)


def test_without_redis_a_refusal_is_left_for_later(payments: ExchangeStand) -> None:
    payments.sessions.is_away = True
    payments.send(1)
    payments.calls.conclude(LATE)
    [told] = payments.hush()
    assert (told["code"], told["retryable"], told["seq"]) == ("redis_unavailable", True, 1)

    payments.sessions.is_away = False
    payments.send(1)
    payments.calls.conclude(LATE)
    assert payments.said == [error(1, LATE)]


def test_an_answer_that_nobody_can_read_harms_no_other(
    payments: ExchangeStand, caplog: pytest.LogCaptureFixture
) -> None:
    payments.send(1, 2)
    payments.calls.conclude(b'{"score":"\xff"}')
    payments.calls.conclude(score(0.5))

    assert [(frame["seq"], frame.get("code"), frame.get("retryable")) for frame in payments.said] == [
        (1, "internal_error", True),
        (2, None, None),
    ]
    assert "event 1" in caplog.text


def test_a_resumed_session_asks_again_for_what_it_does_not_know() -> None:
    stand = ExchangeStand(limits=LIMITS, last_seq=9)
    stand.send(8, 10)

    assert (stand.calls.seqs(), stand.exchange.last_seq) == ([8, 10], 10)


FATES: dict[str, Callable[[float], Outcome | Undone]] = {
    "answer": score,
    "refuse": lambda _number: LATE,
    "fail": lambda _number: QueueFull("No room."),
    "lose": lambda _number: Undone(QueueFull("Nobody knows.")),
}
STEPS = st.lists(st.tuples(st.sampled_from(["send", "send", "redis", *FATES]), st.integers(1, 14)), max_size=80)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(steps=STEPS)
def test_a_number_has_one_answer_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """As for a runner, which gives the first answer to whoever asks again; all else may fail at any time."""
    stand, first = ExchangeStand(limits=LIMITS), dict[int, Any]()
    for number, (step, seq) in enumerate(steps):
        waiting = stand.calls.seqs()
        if step == "redis":
            stand.sessions.is_away = not stand.sessions.is_away
        elif step == "send" and (seq in waiting or len(waiting) < CREDITS):
            stand.send(seq)
        elif step in FATES and seq in waiting:
            # What was answered once, though nobody was told, is never answered otherwise.
            outcome = FATES[step](number)
            stand.calls.conclude(first.setdefault(seq, outcome) if step in ("answer", "refuse") else outcome, seq)

        assert len(set(stand.calls.seqs())) == len(stand.calls.seqs()) == CREDITS - stand.exchange.credits <= CREDITS
        assert stand.exchange.is_idle is not bool(stand.calls.waiting)

    answers: dict[int, set[str]] = {}
    for frame in stand.said:
        if not frame.get("retryable") and frame.get("code") != "sequence_skipped":
            assert 0 <= frame.pop("credits", 0) <= CREDITS
            answers.setdefault(frame["seq"], set()).add(repr(frame))
    assert all(len(contents) == 1 for contents in answers.values())
    assert set(answers) <= set(first)
