"""POST /v2/models/NAME/infer: tensors in, tensors out; the runner reads the one and writes the other."""

from collections.abc import Iterator
from typing import Final

from flask import Response, request

from app.errors import InvalidTensor, UnsupportedEncoding
from app.inference.messages import Form, RowFailure
from app.scenarios.tensor_frames import TensorAnswer, read_answer
from app.services.prediction import PredictionRequest, row_error
from app.services.scopes import Scope
from app.web.api import problems
from app.web.auth import check_model_allowed, requires
from app.web.blueprints.oip.blueprint import OipBlueprint
from app.web.blueprints.oip.calls import LENGTH_HEADER, TensorCall, read_call
from app.web.blueprints.oip.docs import ANSWER_EXAMPLE, INFER_BODY, LENGTH_PARAMETER
from app.web.blueprints.oip.schemas import InferenceSchema
from app.web.body import takes_uploads
from app.web.compression import answer_encoding, deflate
from app.web.extensions import services
from app.web.inference import (
    ANSWER_HEADERS,
    INFERENCE_PROBLEMS,
    SUBJECT_PARAMETER,
    TIMEOUT_PARAMETER,
    ask,
    client_of_request,
    subject_of_request,
)
from app.web.limits import LimitClass, limited
from app.web.request_context import current_context

# Larger answers are handed on piece by piece, so that no copy of the whole is made at once.
PIECE_BYTES: Final = 256 * 1024

_PARAMETERS: Final = [TIMEOUT_PARAMETER, SUBJECT_PARAMETER, LENGTH_PARAMETER]
_BINARY: Final = {"type": "string", "format": "binary"}

blp = OipBlueprint("v2-infer", __name__, description="Open Inference Protocol: call any model with tensors")


@blp.route("/models/<name>/infer", methods=["POST"], parameters=_PARAMETERS)
@blp.route("/models/<name>/versions/<version>/infer", methods=["POST"], parameters=_PARAMETERS)
@problems(*INFERENCE_PROBLEMS, InvalidTensor, UnsupportedEncoding)
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
    (microseconds) shortens the deadline; a `priority` over 1 lets the request wait for others.
    """
    check_model_allowed(name)
    call = read_call(services().settings.max_body_bytes)
    frame = _answer_of_runner(name, version, call)
    return _response(read_answer(frame))


def _answer_of_runner(name: str, version: str | None, call: TensorCall) -> bytes | memoryview:
    context = current_context()
    if call.peek.timeout_us:
        context.limit_s = min(context.limit_s, call.peek.timeout_us / 1_000_000)
    prediction = ask(
        PredictionRequest(
            model=name,
            version=version,
            task=None,
            rows=[call.body],
            parameters={"json_bytes": call.json_bytes},
            deadline=context.deadline,
            form=Form.TENSORS,
            lane=call.lane,
            request_id=context.request_id,
            subject=subject_of_request(),
            client_id=client_of_request(),
        )
    )
    (row,) = prediction.rows
    if isinstance(row, RowFailure):
        raise row_error(row)

    return row


def _response(answer: TensorAnswer) -> Response:
    """Wrap what the runner wrote, compressed where the caller asks for it."""
    headers = {}
    if answer.json_bytes is not None:
        headers[LENGTH_HEADER] = str(answer.json_bytes)
    content_type = "application/json" if answer.json_bytes is None else "application/octet-stream"

    body: bytes | memoryview = answer.body
    encoding = answer_encoding(request.headers.get("Accept-Encoding", ""))
    if encoding:
        headers |= {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
        body = deflate(body, encoding)
    if len(body) <= PIECE_BYTES:
        return Response(bytes(body), headers=headers, content_type=content_type)

    headers["Content-Length"] = str(len(body))
    return Response(_pieces(body), headers=headers, content_type=content_type, direct_passthrough=True)


def _pieces(body: bytes | memoryview) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield bytes(body[start : start + PIECE_BYTES])
