"""How a failure looks on the wire: problem+json (RFC 9457), and under /v2 the form of the Open Inference Protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson
from flask import Response, has_request_context, request

from app.infra.metrics import PROBLEMS
from app.web.request_context import request_id

PROBLEM_JSON: Final = "application/problem+json"
V2_JSON: Final = "application/json"
V2_PREFIX: Final = "/v2"

# What the servers of the field say, word for word.
_V2_SENTENCES: Final = {"route_not_found": "Not Found", "method_not_allowed": "Method Not Allowed"}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One failure as a client sees it. `extra` members join the body, `headers` the answer."""

    status: HTTPStatus
    code: str
    detail: str
    is_retryable: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, path: str, request_id: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, media type and body of the answer to a request for `path`, and count it."""
        PROBLEMS.labels(code=self.code).inc()
        if is_v2_path(path):
            return v2_status(self.status), V2_JSON, orjson.dumps(self.v2_body(request_id))

        return self.status, PROBLEM_JSON, orjson.dumps(self.body(request_id))

    def response(self) -> Response:
        """Return the answer to the current request that carries this problem, and count it."""
        status, media_type, body = self.encode(request.path if has_request_context() else "", request_id())
        return Response(body, status, self.headers, content_type=media_type)

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the members of the problem document."""
        return {
            "type": f"urn:galley:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": int(self.status),
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "retryable": self.is_retryable,
            **self.extra,
        }

    def v2_body(self, request_id: str) -> dict[str, Any]:
        """Return the members of the same failure under /v2."""
        return {
            "error": _V2_SENTENCES.get(self.code) or self._whole_sentence(),
            "code": self.code,
            "request_id": request_id,
            "retryable": self.is_retryable,
            **self.extra,
        }

    def _whole_sentence(self) -> str:
        """Return the detail, and what is wrong with which field: clients of /v2 show this one member only."""
        fields = (f"{name}: {' '.join(messages)}" for name, messages in self.extra.get("errors", {}).items())
        return " ".join([self.detail, *fields])


def v2_status(status: HTTPStatus) -> HTTPStatus:
    """Return the status of a failure under /v2, where a wrong field is a bad request like any other."""
    return HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status


def is_v2_path(path: str) -> bool:
    """Tell whether a path belongs to the Open Inference Protocol."""
    return path == V2_PREFIX or path.startswith(f"{V2_PREFIX}/")
