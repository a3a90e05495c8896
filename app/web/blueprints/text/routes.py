"""Text classification."""

from typing import Any, Final

from flask import Response

from app.errors import NotCached, UnsupportedMediaType
from app.scenarios.text import MAX_TEXT_BYTES
from app.scenarios.text_requests import MAX_TEXTS
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import requires
from app.web.blueprints.jobs.docs import ASYNC_HEADERS, ASYNC_PARAMETERS
from app.web.blueprints.jobs.respond_async import ASYNC_PROBLEMS
from app.web.blueprints.jobs.schemas import SUBMITTED_EXAMPLE, JobSchema
from app.web.blueprints.text.answers import answer_texts
from app.web.blueprints.text.docs import EXAMPLES, REQUEST_BODY
from app.web.blueprints.text.schemas import TextClassificationSchema, TextQuery
from app.web.body import read_raw, takes_at_most
from app.web.inference import (
    CACHED_ANSWER_HEADERS,
    INFERENCE_PARAMETERS,
    INFERENCE_PROBLEMS,
    current_call,
)
from app.web.limits import LimitClass, limited

# A text at its limit fits however it is escaped. To read so much and to look for kept answers holds the hub for 5 ms.
LARGEST_BODY_BYTES: Final = 8 * MAX_TEXT_BYTES

blp = GalleyBlueprint("text", __name__, url_prefix="/api/v1/text", description="Classify texts")


@blp.route("/classifications", methods=["POST"], parameters=[*INFERENCE_PARAMETERS, *ASYNC_PARAMETERS])
@problems(*INFERENCE_PROBLEMS, *ASYNC_PROBLEMS, UnsupportedMediaType, NotCached)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_at_most(
    f"texts takes at most {MAX_TEXTS} texts, each at most {MAX_TEXT_BYTES} bytes", limit_bytes=LARGEST_BODY_BYTES
)
@blp.doc(requestBody=REQUEST_BODY)
@blp.arguments(TextQuery(), location="query")
@blp.alt_response(202, schema=JobSchema, example=SUBMITTED_EXAMPLE, headers=ASYNC_HEADERS)
@blp.response(200, TextClassificationSchema, examples=EXAMPLES, headers=CACHED_ANSWER_HEADERS)
def classify(query: dict[str, Any]) -> Response:
    """Classify one text, or several.

    Send `text`, or up to 256 `texts`. The one text's failure is the call's; of several, the one that failed carries an
    `error` and the others are answered. Answers are kept for a while: see the header Cache-Control. Who prefers
    `respond-async`, or asks a heavy model, gets a job of this one request. Texts that come word by word are sent over
    the stream, whose last prediction is this route's answer.
    """
    body = read_raw("a JSON object")
    return answer_texts(current_call(), body, **query).response()
