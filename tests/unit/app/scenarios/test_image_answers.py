"""From a runner's rows to the answer of a classification."""

import json
from typing import Any

import pytest

from app.errors import UnreadableImage
from app.scenarios.image_answers import write_answer
from app.scenarios.images import ImageAnswer, LabelScore, encode_answer
from app.scenarios.outcomes import Outcome
from app.web.blueprints.images.schemas import ClassificationSchema

FAILED = UnreadableImage("truncated")
ANSWER = encode_answer(ImageAnswer([LabelScore(7, "seven", 0.5)], width=2, height=3))
MODEL = {"name": "digits", "version": 1, "variant": None}


def results_of(*outcomes: Outcome) -> Any:
    """Return the results, once the whole answer is what the OpenAPI document says."""
    answer = json.loads(write_answer(outcomes, json.dumps(MODEL).encode()))
    assert ClassificationSchema().dump(answer) == answer
    assert answer["model"] == MODEL
    return answer["results"]


def test_rows_keep_their_order() -> None:
    assert results_of(FAILED, ANSWER) == [
        {"error": {"code": FAILED.code, "detail": FAILED.detail}},
        {"labels": [{"index": 7, "label": "seven", "score": 0.5}], "width": 2, "height": 3},
    ]


def test_failure_of_a_lone_row_is_the_calls() -> None:
    with pytest.raises(UnreadableImage, match="truncated"):
        results_of(FAILED)


def test_bad_rows_only_are_results_still() -> None:
    assert [set(result) for result in results_of(FAILED, FAILED)] == [{"error"}, {"error"}]
