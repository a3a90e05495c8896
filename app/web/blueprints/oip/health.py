"""GET /v2/health: liveness and readiness for clients of the protocol, open to anyone."""

from typing import Any, Final

from flask import Response

from app.errors import UnavailableError
from app.web.api import problems
from app.web.blueprints.oip.blueprint import OipBlueprint
from app.web.blueprints.oip.schemas import ServerLiveSchema, ServerReadySchema, UnreadySchema
from app.web.error_handlers import problem_of
from app.web.extensions import services

SERVER_NAME: Final = "galley"

LIVE: Final = {"live": True, "name": SERVER_NAME}
READY: Final = {"live": True, "ready": True, "name": SERVER_NAME}
UNREADY_EXAMPLE: Final = {
    "error": "Not ready: No runner is ready for digits/1.",
    "code": UnavailableError.code,
    "request_id": "4f1c2d7e9a0b4c5d8e6f7a8b9c0d1e2f",
    "retryable": True,
    "ready": False,
    "reasons": ["No runner is ready for digits/1."],
}

blp = OipBlueprint("v2-health", __name__, description="Open Inference Protocol: is the server up")


@blp.route("/health/live")
@problems()
@blp.response(200, ServerLiveSchema, example=LIVE)
def live() -> dict[str, Any]:
    """Say that this process answers."""
    return LIVE


@blp.route("/health/ready")
@problems()
@blp.response(200, ServerReadySchema, example=READY)
@blp.alt_response(503, schema=UnreadySchema, example=UNREADY_EXAMPLE, description="Not ready: `reasons` says why.")
def ready() -> dict[str, Any] | Response:
    """Say whether requests can be served: as `/health/ready`, in the protocol's form."""
    parts = services().readiness.parts().values()
    reasons = [part.reason for part in parts if not part.is_ready]
    if not reasons:
        return READY

    error = UnavailableError(f"Not ready: {' '.join(reasons)}")
    return problem_of(error, live=True, ready=False, reasons=reasons).response()
