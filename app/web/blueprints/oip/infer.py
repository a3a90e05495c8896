"""POST /v2/models/NAME/infer: tensors in, tensors out; the runner reads the one and writes the other."""

from typing import Final

from flask import Response

from app.errors import InvalidTensor, RedisUnavailable, UnsupportedEncoding
from app.inference.messages import Form, Row
from app.scenarios.outcomes import only_answer
from app.scenarios.tensor_frames import TensorAnswer, read_answer
from app.services.scopes import Scope
from app.web.answers import Answer
from app.web.api import problems
from app.web.auth import requires
from app.web.blueprints.oip.blueprint import OipBlueprint
from app.web.blueprints.oip.calls import LENGTH_HEADER, read_call
from app.web.blueprints.oip.docs import ANSWER_EXAMPLE, INFER_BODY, LENGTH_PARAMETER
from app.web.blueprints.oip.schemas import InferenceSchema
from app.web.body import read_large, takes_uploads
from app.web.compression import answer_encoding, deflate
from app.web.inference import (
    ANSWER_HEADERS,
    INFERENCE_PROBLEMS,
    SUBJECT_PARAMETER,
    TIMEOUT_PARAMETER,
    InferenceCall,
    current_call,
)
from app.web.limits import LimitClass, limited

_PARAMETERS: Final = [TIMEOUT_PARAMETER, SUBJECT_PARAMETER, LENGTH_PARAMETER]
_BINARY: Final = {"type": "string", "format": "binary"}

blp = OipBlueprint("v2-infer", __name__, description="Open Inference Protocol: call any model with tensors")


@blp.route("/models/<name>/infer", methods=["POST"], parameters=_PARAMETERS)
@blp.route("/models/<name>/versions/<version>/infer", methods=["POST"], parameters=_PARAMETERS)
@problems(*INFERENCE_PROBLEMS, InvalidTensor, UnsupportedEncoding, RedisUnavailable)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@takes_uploads
@blp.doc(requestBody=INFER_BODY)
@blp.alt_response(200, schema=_BINARY, content_type="application/octet-stream", example="", success=True)
@blp.response(200, InferenceSchema, example=ANSWER_EXAMPLE, headers=ANSWER_HEADERS)
def infer(name: str, version: str | None = None) -> Response:
    """Call a model with tensors, and get tensors.

    The body is JSON, or JSON followed by binary tensors, of which `Inference-Header-Content-Length` bytes are JSON;
    `Content-Type` is not looked at. It may be compressed by gzip or deflate, and the answer is where
    `Accept-Encoding` asks for it. A model of any task can be called by its raw signature. Parameter `timeout`
    (microseconds) shortens the deadline; a `priority` over 1 lets the request wait for others. A heavy model answers
    likewise, from a Celery worker that loads it when it is first asked.
    """
    body = read_large("an inference request")
    return answer_infer(current_call(), name, version, body).response()


def answer_infer(call: InferenceCall, name: str, version: str | None, body: Row) -> Answer:
    """Have a runner answer the body of an inference, and wrap what it wrote, compressed where the caller asks for it.

    :raises GalleyError: whatever may befall an inference.
    """
    call.check_model_allowed(name)
    tensors = read_call(body, call.environ, limit_bytes=call.services.settings.max_body_bytes)
    if tensors.peek.timeout_us:
        call.context.limit_s = min(call.context.limit_s, tensors.peek.timeout_us / 1_000_000)
    prediction = call.ask(
        name,
        version,
        [tensors.body],
        parameters={"json_bytes": tensors.json_bytes},
        form=Form.TENSORS,
        lane=tensors.lane,
    )
    return _wrapped(read_answer(only_answer(prediction.outcomes)), call.environ.get("HTTP_ACCEPT_ENCODING", ""))


def _wrapped(answer: TensorAnswer, accepted: str) -> Answer:
    headers = {}
    if answer.json_bytes is not None:
        headers[LENGTH_HEADER] = str(answer.json_bytes)
    content_type = "application/json" if answer.json_bytes is None else "application/octet-stream"

    encoding = answer_encoding(accepted)
    if encoding is None:
        return Answer(answer.body, content_type, headers)

    headers |= {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
    return Answer(deflate(answer.body, encoding), content_type, headers)
