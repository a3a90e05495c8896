"""From a runner's rows to the answer of a request for recommendations."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.errors import GalleyError
from app.scenarios.outcomes import Outcome, error_members, only_answer
from app.scenarios.recommendation_requests import RecommendationRequest

_encode: Final = msgspec.json.Encoder().encode


def write_answer(request: RecommendationRequest, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
    """Return the answer as JSON: the runner's rows, which are JSON already and are not parsed, and what answered.

    :raises GalleyError: the failure of a user who was asked for alone.
    """
    if not request.is_single:
        results = map(_result, request.user_ids, outcomes)
        return b'{"results":[%b],"model":%b}' % (b",".join(results), answered_by)

    return b'%b,"model":%b}' % (bytes(only_answer(outcomes)[:-1]), answered_by)


def _result(user_id: int, outcome: Outcome) -> bytes | memoryview:
    if isinstance(outcome, GalleyError):
        return _encode({"user_id": user_id, "error": error_members(outcome)})

    return outcome
