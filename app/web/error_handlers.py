"""One table from errors to HTTP statuses; app/web/problems.py says how a failure looks."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import chain, islice
from math import ceil
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from app.errors import (
    AccessError,
    BodyTimeout,
    BodyTooLarge,
    ConflictError,
    DeadlineExceeded,
    EmptyBody,
    ForeignOrigin,
    GalleyError,
    ImageTooLarge,
    InputError,
    InsufficientScope,
    InvalidClient,
    InvalidFields,
    InvalidHandshake,
    InvalidName,
    InvalidTensor,
    MissingToken,
    ModelFailed,
    ModelNotAllowed,
    NotCached,
    NotFoundError,
    PreconditionFailed,
    RateLimited,
    ResultsGone,
    ShareExceeded,
    StoreError,
    StoreUnreachable,
    TooManyFollowed,
    TooManyJobs,
    TooManySockets,
    TooManyUploads,
    UnavailableError,
    UnreadableBody,
    UnreadableImage,
    UnsupportedEncoding,
    UnsupportedImage,
    UnsupportedMediaType,
    UpgradeRequired,
)
from app.web.compression import WINDOW_BITS
from app.web.problems import Problem
from app.web.request_context import RequestContext

logger = structlog.get_logger(__name__)

# The nearest class on an error's way to the root decides.
STATUSES: Mapping[type[GalleyError], HTTPStatus] = {
    GalleyError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnreadableBody: HTTPStatus.BAD_REQUEST,
    EmptyBody: HTTPStatus.BAD_REQUEST,
    UnreadableImage: HTTPStatus.BAD_REQUEST,
    BodyTimeout: HTTPStatus.REQUEST_TIMEOUT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ImageTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedImage: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidTensor: HTTPStatus.BAD_REQUEST,
    InvalidHandshake: HTTPStatus.BAD_REQUEST,
    UpgradeRequired: HTTPStatus.UPGRADE_REQUIRED,
    UnsupportedEncoding: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    AccessError: HTTPStatus.UNAUTHORIZED,
    InsufficientScope: HTTPStatus.FORBIDDEN,
    ModelNotAllowed: HTTPStatus.FORBIDDEN,
    ForeignOrigin: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    ShareExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyJobs: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyFollowed: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyUploads: HTTPStatus.TOO_MANY_REQUESTS,
    TooManySockets: HTTPStatus.TOO_MANY_REQUESTS,
    DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    # RFC 9111 §5.2.1.7
    NotCached: HTTPStatus.GATEWAY_TIMEOUT,
    ModelFailed: HTTPStatus.BAD_GATEWAY,
    ResultsGone: HTTPStatus.GONE,
    StoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
    StoreUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    InvalidName: HTTPStatus.UNPROCESSABLE_ENTITY,
}

# By class, what was looked up: a server that refuses much asks thousands of times a second.
_found: dict[type[GalleyError], HTTPStatus] = {}

# Failures that the framework finds before any view runs: code and sentence.
FRAMEWORK_PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read."),
    404: ("route_not_found", "There is no such route; GET /openapi.json lists all of them."),
    405: ("method_not_allowed", "This route does not take this method."),
    413: (BodyTooLarge.code, "The form has too many parts or too large fields."),
    415: (UnsupportedMediaType.code, "The route does not read bodies of this Content-Type."),
}

MOST_TOLD = 100
"""How many faults of one body are told: a hostile one has as many as it has members."""

INTERNAL_DETAIL = "Something went wrong inside the server; the request id finds it in the log."


def status_of(error_class: type[GalleyError]) -> HTTPStatus:
    """Return the status of the nearest class in the table."""
    status = _found.get(error_class)
    if status is None:
        status = _found[error_class] = next(STATUSES[cls] for cls in error_class.__mro__ if cls in STATUSES)
    return status


def is_told(error_class: type[GalleyError]) -> bool:
    """Say whether clients learn this failure's code and sentence.

    Those of a failure inside the server stay in the log: they may name paths or SQL.
    """
    return status_of(error_class) != HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: GalleyError, **extra: Any) -> Problem:
    """Return what a client is told of `error`; `extra` adds members to the document."""
    if not is_told(type(error)):
        return internal_problem()

    status = status_of(type(error))
    if isinstance(error, InvalidFields):
        extra = {"errors": error.errors, **extra}
    return Problem(
        status=status,
        code=error.code,
        detail=error.detail,
        is_retryable=error.is_retryable,
        extra=extra,
        headers=dict(_headers(error, status)),
    )


def internal_problem() -> Problem:
    """Return the only thing a client learns of an unforeseen failure."""
    return Problem(status=HTTPStatus.INTERNAL_SERVER_ERROR, code=GalleyError.code, detail=INTERNAL_DETAIL)


def init_error_handlers(app: Flask) -> None:
    """Give every failure of `app` its status and form."""
    app.register_error_handler(GalleyError, _answer_galley_error)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, _answer_unforeseen)


def answer_http_exception(error: HTTPException) -> Response:
    """Answer what Flask, Werkzeug or webargs refused."""
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        return problem_of(InvalidFields(_flatten(messages))).response()

    return _framework_problem(error).response()


def failure_of(error: GalleyError, path: str, context: RequestContext | None) -> Problem:
    """Return what a client of `path` is told of `error`; its log line will say which failure it was.

    Only of what is wrong inside the server there is a line more: to log refusals twice costs most when there are many.
    """
    problem = problem_of(error)
    if context is not None:
        context.log_fields["code"] = error.code
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            context.log_fields["reason"] = error.detail
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request failed", code=error.code, reason=error.detail, path=path)
    return problem


def unforeseen_failure_of(error: Exception, path: str) -> Problem:
    """Return the last line of defence: whatever nobody foresaw is logged whole and told to nobody."""
    logger.error("unforeseen error", path=path, exc_info=error)
    return internal_problem()


def _answer_galley_error(error: GalleyError) -> Response:
    context: RequestContext | None = g.get("request_context")
    return failure_of(error, request.path, context).response()


def _answer_unforeseen(error: Exception) -> Response:
    return unforeseen_failure_of(error, request.path).response()


def _framework_problem(error: HTTPException) -> Problem:
    status = HTTPStatus(error.code or 500)
    code, detail = FRAMEWORK_PROBLEMS.get(status, (status.name.lower(), f"{status.phrase}."))
    allow = dict(error.get_headers()).get("Allow")
    return Problem(status=status, code=code, detail=detail, headers={"Allow": allow} if allow else {})


def _flatten(messages: Mapping[str, Any]) -> dict[str, list[str]]:
    """Turn webargs' `{location: {field: {index: [...]}}}` into `{"field.index": [...]}`."""
    flat: dict[str, list[str]] = {}
    leaves = chain.from_iterable(map(_leaves, messages.values()))
    for path, problems in islice(leaves, MOST_TOLD):
        flat.setdefault(path or "body", []).extend(problems)
    return flat


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    if not isinstance(node, Mapping):
        yield path, [str(problem) for problem in node]
        return

    for name, child in node.items():
        # marshmallow's word for what is wrong with the whole.
        below = [] if name == "_schema" else [str(name)]
        yield from _leaves(child, ".".join([path, *below] if path else below))


def _headers(error: GalleyError, status: HTTPStatus) -> Iterator[tuple[str, str]]:
    if isinstance(error, AccessError):
        challenge = _challenge(error)
        if challenge:
            yield "WWW-Authenticate", challenge
    if isinstance(error, UnsupportedEncoding):
        # RFC 9110 §12.5.3: which codings of a body are read.
        yield "Accept-Encoding", ", ".join(WINDOW_BITS)
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        yield "Retry-After", str(max(1, ceil(getattr(error, "retry_after_s", 1.0))))


def _challenge(error: AccessError) -> str | None:
    """Return the WWW-Authenticate of RFC 6750 §3 (a bare challenge when no token was sent)."""
    match error:
        case MissingToken():
            return 'Bearer realm="galley"'
        case InvalidClient():
            return 'Basic realm="galley"'
        case InsufficientScope(scope=scope):
            return f'Bearer realm="galley", error="insufficient_scope", scope="{scope}"'
        case ModelNotAllowed():
            return None
        case _:
            return 'Bearer realm="galley", error="invalid_token"'
