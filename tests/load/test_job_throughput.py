"""Lines of a job are held against those of the bare loop."""

from typing import Any

import orjson
import pytest

from tests.load.job_throughput import count_differing


def line(score: float = 0.5, item: int = 7, **members: Any) -> bytes:
    items = [{"item_id": item, "score": score, "title": "x"}]
    return orjson.dumps({"row": 1, "user_id": 3, "items": items, **members})


@pytest.mark.parametrize(("other", "differing"), [(line(0.500001), 0), (line(0.6), 1), (line(item=8), 1)])
def test_line_differs_by_what_it_says(other: bytes, differing: int) -> None:
    assert count_differing([line(), line()], [line().decode(), other.decode()]) == differing


def test_missing_line_is_noticed() -> None:
    with pytest.raises(ValueError, match="shorter"):
        count_differing([line(), line()], [line().decode()])
