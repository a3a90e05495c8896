"""Answers that are followed are counted by client, and end together."""

from contextlib import ExitStack

import pytest
from flask import Flask

from app.errors import TooManyFollowed
from app.web.followed_answers import MOST_FOLLOWED, FollowedAnswers, begun


def test_client_follows_so_many_at_once() -> None:
    answers = FollowedAnswers()
    with ExitStack() as stack:
        for _ in range(MOST_FOLLOWED):
            stack.enter_context(answers.follow("one"))
        with pytest.raises(TooManyFollowed), answers.follow("one"):
            pass
        with answers.follow("another"):
            pass

    with answers.follow("one"):
        pass


def test_waiting_goes_on_until_the_end() -> None:
    answers = FollowedAnswers()

    assert answers.wait(0.001)
    answers.end()
    assert not answers.wait(60)


def test_first_piece_is_made_before_the_answer() -> None:
    made: list[int] = []
    pieces = (made.append(number) or b"%d" % number for number in range(3))  # type: ignore[func-returns-value]
    with Flask(__name__).test_request_context():
        answer = begun(pieces)

    assert made == [0]
    assert list(answer) == [b"0", b"1", b"2"]


def test_nothing_is_made_for_the_head_alone() -> None:
    made: list[int] = []
    pieces = (made.append(number) or b"%d" % number for number in range(3))  # type: ignore[func-returns-value]
    with Flask(__name__).test_request_context(method="HEAD"):
        answer = begun(pieces)

    assert (list(answer), made) == ([], [])
