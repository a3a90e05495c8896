"""What a request carries from its first to its last step: id, deadline, who answered; and its log line."""

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from flask import Flask, Response, g, has_request_context, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.errors import InvalidFields
from app.services.routing import Resolved
from app.settings import Settings

logger = structlog.get_logger("app.web.access")

REQUEST_ID_HEADER = "X-Request-ID"
TIMEOUT_HEADER = "Request-Timeout"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,9})?")


class Answered(Protocol):
    """What the answer's headers and the log line tell of an inference."""

    @property
    def model_name(self) -> str:
        """Name of the model that answered."""

    @property
    def model_version(self) -> int:
        """Its version."""

    @property
    def variant(self) -> str | None:
        """The route's variant, when a route chose."""

    @property
    def queue_s(self) -> float:
        """Seconds the slowest row waited."""

    @property
    def compute_s(self) -> float:
        """Seconds the slowest row was computed."""


@dataclass(slots=True)
class RequestContext:
    """One request. `started` and `deadline` are monotonic seconds; `limit_s` is the time it was given."""

    request_id: str
    started: float
    limit_s: float
    routed: Resolved | None = None
    """What the request was sent to, whether it answered or not, and the subject that it was chosen for."""
    subject: str = ""
    answered: Answered | None = None
    log_fields: dict[str, Any] = field(default_factory=dict)

    @property
    def deadline(self) -> float:
        """When the answer must be ready."""
        return self.started + self.limit_s

    def elapsed_ms(self) -> float:
        """Milliseconds since the request began."""
        return (time.monotonic() - self.started) * 1000


def current_context() -> RequestContext:
    """Return the context of the request being served."""
    context: RequestContext = g.request_context
    return context


def request_id() -> str:
    """Return the id of the request being served, or an empty string outside of one."""
    if not has_request_context() or "request_context" not in g:
        return ""

    return current_context().request_id


def init_request_context(app: Flask, settings: Settings) -> None:
    """Give each request of `app` an id and a deadline, and write one log line when it is answered."""

    def begin() -> None:
        context = RequestContext(_sane_id(), time.monotonic(), settings.request_timeout_s)
        g.request_context = context
        clear_contextvars()
        bind_contextvars(request_id=context.request_id)
        if TIMEOUT_HEADER in request.headers:
            context.limit_s = min(context.limit_s, _asked_timeout_s(request.headers[TIMEOUT_HEADER]))

    app.before_request(begin)
    app.after_request(_finish)


def _finish(response: Response) -> Response:
    context = current_context()
    response.headers[REQUEST_ID_HEADER] = context.request_id
    if context.answered:
        _tell_who_answered(response, context, context.answered)
    _log(response, context)
    return response


def _tell_who_answered(response: Response, context: RequestContext, answered: Answered) -> None:
    headers = response.headers
    headers["X-Model-Name"] = answered.model_name
    headers["X-Model-Version"] = str(answered.model_version)
    if answered.variant:
        headers["X-Variant"] = answered.variant
    stages = {"queue": answered.queue_s * 1000, "compute": answered.compute_s * 1000, "total": context.elapsed_ms()}
    headers["Server-Timing"] = ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in stages.items())


def _log(response: Response, context: RequestContext) -> None:
    fields = context.log_fields
    if context.routed and context.routed.variant:
        fields |= {"variant": context.routed.variant, "revision": context.routed.revision}
    if context.answered:
        fields |= {
            "model": context.answered.model_name,
            "version": context.answered.model_version,
            "queue_ms": round(context.answered.queue_s * 1000, 2),
            "compute_ms": round(context.answered.compute_s * 1000, 2),
        }
    logger.info(
        "request",
        method=request.method,
        route=route_of_request(),
        status=response.status_code,
        ms=round(context.elapsed_ms(), 2),
        **fields,
    )


def route_of_request() -> str:
    """Return the rule the request matched, `unmatched` if none: a name from a bounded set."""
    return request.url_rule.rule if request.url_rule else "unmatched"


def _sane_id() -> str:
    asked = request.headers.get(REQUEST_ID_HEADER, "")
    return asked if _SANE_ID.fullmatch(asked) else uuid.uuid4().hex


def _asked_timeout_s(text: str) -> float:
    """Read the header.

    :raises InvalidFields: unless it is a positive decimal number of seconds.
    """
    if not _DECIMAL.fullmatch(text) or float(text) <= 0:
        raise InvalidFields({TIMEOUT_HEADER: ["Send a positive decimal number of seconds, like 0.5."]})

    return float(text)
