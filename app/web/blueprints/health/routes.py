"""Liveness, readiness and metrics: open to anyone, limited by nothing."""

from http import HTTPStatus
from typing import Any

from flask import Response

from app.infra.metrics import CONTENT_TYPE
from app.services.readiness import PartState
from app.web.api import GalleyBlueprint, problems
from app.web.blueprints.health.schemas import LivenessSchema, ReadinessSchema
from app.web.extensions import services
from app.web.job_metrics import collect_jobs
from app.web.metrics import current_exposition
from app.web.part_metrics import collect_parts

RETRY_AFTER_S = 1

READY_EXAMPLE = {"ready": True, "parts": {name: {"ready": True} for name in ("database", "directory", "models")}}
UNREADY_EXAMPLE = {
    "ready": False,
    "parts": {
        "database": {"ready": True},
        "directory": {"ready": True},
        "models": {"ready": False, "reason": "No runner is ready for digits/1."},
    },
}

blp = GalleyBlueprint("health", __name__, description="Is it up, and how is it")


@blp.route("/health/live")
@problems()
@blp.response(200, LivenessSchema, example={"live": True})
def live() -> dict[str, bool]:
    """Say that this process answers."""
    return {"live": True}


@blp.route("/health/ready")
@problems()
@blp.response(200, ReadinessSchema, example=READY_EXAMPLE)
@blp.alt_response(503, schema=ReadinessSchema, example=UNREADY_EXAMPLE, description="Not ready: `parts` says why.")
def ready() -> Any:
    """Say whether requests can be served.

    Ready means: the database is there and migrated, the directory of runners is known, and every default or
    pinned version has a runner that is ready. A part that serves in spite of an outage says so in its `reason`.
    """
    parts = services().readiness.parts()
    is_ready = all(part.is_ready for part in parts.values())
    body = {"ready": is_ready, "parts": {name: _part(state) for name, state in parts.items()}}
    if is_ready:
        return body

    return body, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_AFTER_S)}


@blp.route("/metrics")
@problems()
@blp.response(200, {"type": "string"}, content_type="text/plain", example="galley_problems_total 0.0")
def metrics() -> Response:
    """Return the metrics of all processes, and how much work waits, in Prometheus' text format."""
    text = current_exposition().text() + collect_jobs(services()) + collect_parts(services())
    return Response(text, content_type=CONTENT_TYPE)


def _part(state: PartState) -> dict[str, Any]:
    return {"ready": state.is_ready, **({"reason": state.reason} if state.reason else {})}
