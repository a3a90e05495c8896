"""Recommendations."""

from typing import Any

from flask import Response

from app.errors import NotCached, UnsupportedMediaType
from app.scenarios.recommendations import MAX_EXCLUDED, MAX_USERS
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import requires
from app.web.blueprints.jobs.docs import ASYNC_HEADERS, ASYNC_PARAMETERS
from app.web.blueprints.jobs.respond_async import ASYNC_PROBLEMS
from app.web.blueprints.jobs.schemas import SUBMITTED_EXAMPLE, JobSchema
from app.web.blueprints.recommendations.answers import answer_recommendations
from app.web.blueprints.recommendations.docs import EXAMPLES, REQUEST_BODY
from app.web.blueprints.recommendations.schemas import RecommendationQuery, RecommendationSchema
from app.web.body import read_raw, takes_at_most
from app.web.inference import (
    CACHED_ANSWER_HEADERS,
    INFERENCE_PARAMETERS,
    INFERENCE_PROBLEMS,
    current_call,
)
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("recommendations", __name__, url_prefix="/api/v1", description="Recommend items to users")


@blp.route("/recommendations", methods=["POST"], parameters=[*INFERENCE_PARAMETERS, *ASYNC_PARAMETERS])
@problems(*INFERENCE_PROBLEMS, *ASYNC_PROBLEMS, UnsupportedMediaType, NotCached)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_at_most(f"user_ids takes at most {MAX_USERS} ids, exclude {MAX_EXCLUDED}")
@blp.doc(requestBody=REQUEST_BODY)
@blp.arguments(RecommendationQuery(), location="query")
@blp.alt_response(202, schema=JobSchema, example=SUBMITTED_EXAMPLE, headers=ASYNC_HEADERS)
@blp.response(200, RecommendationSchema, examples=EXAMPLES, headers=CACHED_ANSWER_HEADERS)
def recommend(query: dict[str, Any]) -> Response:
    """Recommend items to one user, or to several.

    Send `user_id`, or up to 256 `user_ids` with the same `k` and `exclude` for all. Items come best first, without
    those in `exclude` and those that the model knows the user to have. A user the model does not know gets what is
    popular, and `cold_start` says so. The one user's failure is the call's; of several, the one that failed carries
    an `error` and the others are answered. Answers are kept for a while: see the header Cache-Control. Who prefers
    `respond-async`, or asks a heavy model, gets a job of this one request.
    """
    body = read_raw("a JSON object")
    return answer_recommendations(current_call(), body, **query).response()
