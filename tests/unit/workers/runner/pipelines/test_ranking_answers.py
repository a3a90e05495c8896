"""Rankings as JSON that any reader takes."""

import json

import numpy as np
import pytest

from workers.runner.pipelines.ranking_answers import RankingWriter, numbers

ITEMS = np.array([7, -(2**63), 2**63 - 1], np.int64)
ODD_TITLES = ['A "quoted" \\ title', "Żółć ☃ \U0001f600", "line\nbreak\u2028\x00"]


def test_items_come_in_the_order_of_their_columns() -> None:
    answer = RankingWriter(ITEMS, None).write(-5, [2, 0], [b"1.5", b"-2"], is_cold=True)

    items = [{"item_id": 2**63 - 1, "score": 1.5}, {"item_id": 7, "score": -2}]
    assert json.loads(answer) == {"user_id": -5, "items": items, "cold_start": True}


def test_titles_survive_whatever_is_in_them() -> None:
    answer = RankingWriter(ITEMS, ODD_TITLES).write(1, [0, 1, 2], [b"3", b"2", b"1"], is_cold=False)

    assert [item["title"] for item in json.loads(answer)["items"]] == ODD_TITLES


def test_there_may_be_no_items() -> None:
    answer = RankingWriter(ITEMS, None).write(1, [], [], is_cold=False)

    assert json.loads(answer) == {"user_id": 1, "items": [], "cold_start": False}


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-7, 3.4e38, 1e-40, 123456789.0, 1 / 3])
def test_numbers_read_as_the_same_float(value: float) -> None:
    (text,) = numbers(np.array([[value]], np.float32))

    assert np.float32(json.loads(text)) == np.float32(value)
    assert len(text) <= 16


def test_numbers_come_row_by_row() -> None:
    assert numbers(np.array([[1, 2], [3, np.nan]], np.float32)) == [b"1.0", b"2.0", b"3.0", b"null"]
