"""Answers are the same but for the last bits of their numbers."""

from typing import Any

import pytest

from tests.chaos.likeness import differences


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"score": 0.500001, "items": [1, 2]}, {"score": 0.5, "items": [1, 2]}),
        ([{"label": "7"}], [{"label": "7"}]),
        (None, None),
    ],
)
def test_what_is_alike(told: Any, expected: Any) -> None:
    assert differences(told, expected) == []


@pytest.mark.parametrize(
    ("told", "expected", "place"),
    [
        ({"score": 0.51}, {"score": 0.5}, "answer.score"),
        ({"items": [1, 3]}, {"items": [1, 2]}, "answer.items[1]"),
        ({"items": [1]}, {"items": [1, 2]}, "answer.items has 1"),
        ({"user": 1}, {"shop": 1}, "answer has ['user']"),
        ({"user": True}, {"user": "True"}, "answer.user"),
    ],
)
def test_what_is_not(told: Any, expected: Any, place: str) -> None:
    [difference] = differences(told, expected)

    assert difference.startswith(place)
