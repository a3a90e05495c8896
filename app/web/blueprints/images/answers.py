"""From a runner's rows to the results of a classification."""

from typing import Any

import msgspec

from app.inference.messages import RowFailure
from app.scenarios.images import decode_answer
from app.services.prediction import Prediction, row_error


def results_of(prediction: Prediction) -> list[dict[str, Any]]:
    """Return one result per image, in the order sent.

    :raises GalleyError: the failure of an image that was sent alone.
    """
    if len(prediction.rows) == 1 and isinstance(prediction.rows[0], RowFailure):
        raise row_error(prediction.rows[0])

    return [_result(row) for row in prediction.rows]


def _result(row: bytes | RowFailure) -> dict[str, Any]:
    if isinstance(row, RowFailure):
        return {"error": {"code": row.code, "detail": row.detail}}

    result: dict[str, Any] = msgspec.to_builtins(decode_answer(row))
    return result
