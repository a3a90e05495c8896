"""What a request carries from its first to its last step: id, deadline, who answered; and its log line."""

import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask, Response, g, has_request_context, request

from app.errors import InvalidFields
from app.inference.cache import CacheOutcome
from app.infra.log_context import begin_log_context
from app.infra.log_setup import write_event
from app.infra.trace import TRACEPARENT_VARIABLE, Trace
from app.services.routing import Resolved
from app.settings import Settings

REQUEST_ID_HEADER = "X-Request-ID"
TIMEOUT_HEADER = "Request-Timeout"
TIMEOUT_VARIABLE = "HTTP_REQUEST_TIMEOUT"
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
    def rows(self) -> Sequence[object]:
        """What was answered, row by row."""

    @property
    def queue_s(self) -> float:
        """Seconds the slowest row waited."""

    @property
    def compute_s(self) -> float:
        """Seconds the slowest row was computed."""

    @property
    def cache(self) -> CacheOutcome | None:
        """What the cache had, where answers are kept."""

    @property
    def age_s(self) -> float:
        """Seconds since the oldest of what came from the cache was computed."""


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
    trace: Trace | None = None
    """Ours within the trace of the caller; None where it sent no `traceparent`, or a wrong one."""
    log_fields: dict[str, Any] = field(default_factory=dict)

    @property
    def deadline(self) -> float:
        """When the answer must be ready."""
        return self.started + self.limit_s

    @property
    def traceparent(self) -> str:
        """What hands the caller's trace on; an empty string where there is none."""
        return self.trace.traceparent if self.trace else ""

    def elapsed_s(self) -> float:
        """Seconds since the request began."""
        return time.monotonic() - self.started

    def shorten(self, asked: str | None) -> None:
        """Give the request no more time than its header asks for.

        :raises InvalidFields: unless that is a positive decimal number of seconds.
        """
        if asked is not None:
            self.limit_s = min(self.limit_s, _asked_timeout_s(asked))


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
    """Give each request of `app` an id and a deadline, and, where wanted, one log line when it is answered."""

    def begin() -> None:
        context = g.request_context = begin_context(request.environ, settings)
        context.shorten(request.environ.get(TIMEOUT_VARIABLE))

    app.before_request(begin)
    app.after_request(_finish)
    if settings.access_log:
        app.after_request(_log)


def begin_context(environ: Mapping[str, Any], settings: Settings) -> RequestContext:
    """Return the context of a request that begins, and let all log lines of it carry its id, and its trace."""
    context = RequestContext(_sane_id(environ.get("HTTP_X_REQUEST_ID")), time.monotonic(), settings.request_timeout_s)
    traceparent = environ.get(TRACEPARENT_VARIABLE)
    if traceparent is None:
        begin_log_context(request_id=context.request_id)
        return context

    trace = context.trace = Trace.read(traceparent)
    begin_log_context(request_id=context.request_id, **(trace.log_fields() if trace else {}))
    return context


def context_headers(context: RequestContext) -> Iterator[tuple[str, str]]:
    """Yield the headers that tell whose answer it is and what gave it."""
    yield REQUEST_ID_HEADER, context.request_id
    answered = context.answered
    if answered is None:
        return

    # Of a caller and for that caller: whoever stands in between has no business to keep it.
    yield "Cache-Control", "no-store"
    yield "X-Model-Name", answered.model_name
    yield "X-Model-Version", str(answered.model_version)
    if answered.variant:
        yield "X-Variant", answered.variant
    if answered.cache is not None:
        yield "X-Cache", answered.cache.value
    if answered.cache is CacheOutcome.HIT:
        yield "Age", str(int(answered.age_s))
    queue_ms, compute_ms, total_ms = answered.queue_s * 1000, answered.compute_s * 1000, context.elapsed_s() * 1000
    yield (
        "Server-Timing",
        f"queue;dur={queue_ms:.2f}, compute;dur={compute_ms:.2f}, total;dur={total_ms:.2f}",
    )


def log_request(context: RequestContext, *, method: str, route: str, status: int) -> None:
    """Write the one line of a request that was answered."""
    line = {
        "event": "request",
        "method": method,
        "route": route,
        "status": status,
        "ms": _milliseconds(context.elapsed_s()),
    }
    line |= context.log_fields
    if context.routed and context.routed.variant:
        line |= {"variant": context.routed.variant, "revision": context.routed.revision}
    answered = context.answered
    if answered:
        line["model"], line["version"] = answered.model_name, answered.model_version
        line["queue_ms"], line["compute_ms"] = _milliseconds(answered.queue_s), _milliseconds(answered.compute_s)
        if answered.cache is not None:
            line["cache"] = answered.cache.value
    line["request_id"] = context.request_id
    if context.trace:
        line |= context.trace.log_fields()
    write_event(line)


def route_of_request() -> str:
    """Return the rule the request matched, `unmatched` if none: a name from a bounded set."""
    return request.url_rule.rule if request.url_rule else "unmatched"


def _finish(response: Response) -> Response:
    context = current_context()
    for name, value in context_headers(context):
        response.headers[name] = value
    return response


def _log(response: Response) -> Response:
    log_request(current_context(), method=request.method, route=route_of_request(), status=response.status_code)
    return response


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _sane_id(asked: str | None) -> str:
    return asked if asked and _SANE_ID.fullmatch(asked) else uuid.uuid4().hex


def _asked_timeout_s(text: str) -> float:
    """Read the header.

    :raises InvalidFields: unless it is a positive decimal number of seconds.
    """
    if not _DECIMAL.fullmatch(text) or float(text) <= 0:
        raise InvalidFields({TIMEOUT_HEADER: ["Send a positive decimal number of seconds, like 0.5."]})

    return float(text)
