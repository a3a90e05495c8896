"""From a runner's rows to results."""

import json
from typing import Any

import pytest

from app.errors import UnreadableImage
from app.inference.messages import RowFailure
from app.scenarios.images import ImageAnswer, LabelScore, encode_answer
from app.services.prediction import Prediction
from app.web.blueprints.images.answers import body_of
from app.web.blueprints.images.schemas import ClassificationSchema
from model_store.model_ref import ModelRef

FAILURE = RowFailure(row=0, code="unreadable_image", detail="The image could not be decoded: truncated.")
ANSWER = encode_answer(ImageAnswer([LabelScore(7, "seven", 0.5)], width=2, height=3))


def predicted(*rows: bytes | RowFailure) -> Prediction:
    return Prediction(ref=ModelRef("digits", 1), variant=None, rows=rows, queue_s=0.0, compute_s=0.0)


def results_of(prediction: Prediction) -> Any:
    """Return the results, once the whole answer is what the OpenAPI document says."""
    answer = json.loads(body_of(prediction))
    assert ClassificationSchema().dump(answer) == answer
    assert answer["model"] == {"name": "digits", "version": 1, "variant": None}
    return answer["results"]


def test_rows_keep_their_order() -> None:
    assert results_of(predicted(FAILURE, ANSWER)) == [
        {"error": {"code": FAILURE.code, "detail": FAILURE.detail}},
        {"labels": [{"index": 7, "label": "seven", "score": 0.5}], "width": 2, "height": 3},
    ]


def test_failure_of_a_lone_row_is_the_calls() -> None:
    with pytest.raises(UnreadableImage, match="truncated"):
        results_of(predicted(FAILURE))


def test_bad_rows_only_are_results_still() -> None:
    assert [set(result) for result in results_of(predicted(FAILURE, FAILURE))] == [{"error"}, {"error"}]
