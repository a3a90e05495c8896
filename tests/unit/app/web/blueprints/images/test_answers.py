"""From a runner's rows to results."""

import pytest

from app.errors import UnreadableImage
from app.inference.messages import RowFailure
from app.scenarios.images import ImageAnswer, LabelScore, encode_answer
from app.services.prediction import Prediction
from app.web.blueprints.images.answers import results_of
from model_store.model_ref import ModelRef

FAILURE = RowFailure(row=0, code="unreadable_image", detail="The image could not be decoded: truncated.")
ANSWER = encode_answer(ImageAnswer([LabelScore(7, "seven", 0.5)], width=2, height=3))


def predicted(*rows: bytes | RowFailure) -> Prediction:
    return Prediction(ref=ModelRef("digits", 1), variant=None, rows=rows, queue_s=0.0, compute_s=0.0)


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
