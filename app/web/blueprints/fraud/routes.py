"""Fraud scores, one event a call."""

from typing import Any, Final

from flask import Response

from app.errors import EventTooLate, NotCached, RedisUnavailable, SequenceMoved, UnsupportedMediaType
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import requires
from app.web.blueprints.fraud.answers import answer_score
from app.web.blueprints.fraud.docs import ANSWER, CACHE_PARAMETER, REQUEST_BODY, SUBMITTED
from app.web.blueprints.fraud.schemas import FraudQuery, FraudScoreSchema
from app.web.blueprints.jobs.docs import ASYNC_HEADERS, ASYNC_PARAMETERS
from app.web.blueprints.jobs.respond_async import ASYNC_PROBLEMS
from app.web.blueprints.jobs.schemas import JobSchema
from app.web.body import read_raw, takes_at_most
from app.web.inference import (
    ANSWER_HEADERS,
    INFERENCE_PROBLEMS,
    SUBJECT_PARAMETER,
    TIMEOUT_PARAMETER,
    current_call,
)
from app.web.limits import LimitClass, limited

# Three times what an event takes whose every character is escaped.
LARGEST_EVENT_BYTES: Final = 2**14
PARAMETERS: Final = (TIMEOUT_PARAMETER, SUBJECT_PARAMETER, CACHE_PARAMETER, *ASYNC_PARAMETERS)
PROBLEMS: Final = (EventTooLate, SequenceMoved, RedisUnavailable, NotCached, UnsupportedMediaType)

blp = GalleyBlueprint("fraud", __name__, url_prefix="/api/v1/fraud", description="Score payments for fraud")


@blp.route("/scores", methods=["POST"], parameters=list(PARAMETERS))
@problems(*INFERENCE_PROBLEMS, *ASYNC_PROBLEMS, *PROBLEMS)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_at_most("send one event", limit_bytes=LARGEST_EVENT_BYTES)
@blp.doc(requestBody=REQUEST_BODY)
@blp.arguments(FraudQuery(), location="query")
@blp.alt_response(202, schema=JobSchema, example=SUBMITTED, headers=ASYNC_HEADERS)
@blp.response(200, FraudScoreSchema, example=ANSWER, headers=ANSWER_HEADERS)
def score(query: dict[str, Any]) -> Response:
    """Score a payment beside what its account did before.

    The score and the past of the account count once for each `event_id`: within 24 hours the same id of the same
    account gets its first answer, whatever is sent with it, and moves nothing; so after a 503 or 504, or where no
    answer came, send the event again. Events of one account may come out of order by up to an hour of their own time;
    an older one is refused with `event_too_late` and moves nothing. What is sent over the stream of the same model
    moves the same accounts. Without Redis, which keeps them, nothing is scored: 503. Who prefers `respond-async`, or
    asks a heavy model, gets a job of this one event.
    """
    body = read_raw("a JSON object")
    return answer_score(current_call(), body, **query).response()
