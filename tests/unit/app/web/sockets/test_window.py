"""Frames are answered once, again for who asks again, in order, and no more at once than there are credits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import OutOfCredits, SequenceSkipped
from app.web.sockets.window import KEPT, SeqWindow, Standing

CREDITS = 3


@pytest.fixture
def window() -> SeqWindow:
    return SeqWindow(credits=CREDITS)


def test_frames_come_one_after_the_other(window: SeqWindow) -> None:
    assert [window.admit(seq) for seq in (1, 2, 3)] == [Standing.DUE] * 3
    assert (window.highest, window.credits_left) == (3, 0)


@pytest.mark.parametrize("seq", [2, 3, 2**53 - 1])
def test_a_gap_is_refused_and_changes_nothing(window: SeqWindow, seq: int) -> None:
    with pytest.raises(SequenceSkipped, match="1"):
        window.admit(seq)
    assert window.admit(1) is Standing.DUE


def test_who_ignores_credits_is_refused(window: SeqWindow) -> None:
    for seq in range(1, CREDITS + 1):
        window.admit(seq)
    with pytest.raises(OutOfCredits):
        window.admit(CREDITS + 1)


def test_an_answer_gives_its_credit_back(window: SeqWindow) -> None:
    window.admit(1)
    window.answered(1, "one")

    assert (window.credits_left, window.admit(1), window.answer_to(1)) == (CREDITS, Standing.ANSWERED, "one")


def test_what_is_under_way_is_not_begun_twice(window: SeqWindow) -> None:
    window.admit(1)

    assert window.admit(1) is Standing.UNDER_WAY
    assert window.credits_left == CREDITS - 1


def test_a_failed_frame_may_come_again_behind_later_ones(window: SeqWindow) -> None:
    for seq in (1, 2):
        window.admit(seq)
    window.answered(2, "two")
    window.reopen(1)

    assert (window.admit(1), window.highest) == (Standing.DUE, 2)


def test_nothing_new_goes_before_what_failed(window: SeqWindow) -> None:
    for seq in (1, 2):
        window.admit(seq)
    for seq in (2, 1):
        window.reopen(seq)
    for seq in (3, 2):
        with pytest.raises(SequenceSkipped, match="1"):
            window.admit(seq)

    assert [window.admit(seq) for seq in (1, 2, 3)] == [Standing.DUE] * 3


def test_old_answers_are_forgotten(window: SeqWindow) -> None:
    for seq in range(1, KEPT * CREDITS + 2):
        window.admit(seq)
        window.answered(seq, f"{seq}")

    assert window.admit(2) is Standing.ANSWERED
    assert window.admit(1) is Standing.DUE


def test_a_resumed_session_goes_on_where_it_was() -> None:
    window = SeqWindow(credits=CREDITS, last_seq=10)

    assert (window.admit(11), window.admit(9)) == (Standing.DUE, Standing.DUE)


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["answer", "fail", "wait"])), max_size=60))
def test_no_frame_is_new_again_once_it_was_answered(steps: list[tuple[int, str]]) -> None:
    window, done = SeqWindow(credits=CREDITS), set()
    for seq, fate in steps:
        try:
            standing = window.admit(seq)
        except (SequenceSkipped, OutOfCredits):
            continue
        assert not (standing is Standing.DUE and seq in done)
        assert 0 <= window.credits_left <= CREDITS
        if standing in (Standing.DUE, Standing.DUE) and fate == "answer":
            window.answered(seq, f"{seq}")
            done.add(seq)
        elif standing is Standing.DUE and fate == "fail":
            window.reopen(seq)
