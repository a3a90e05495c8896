"""What gunicorn answers when bytes never become a request: a problem document, like every other failure."""

from dataclasses import dataclass
from http import HTTPStatus

import orjson
from gunicorn.http.errors import (
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from app.web.security_headers import SECURITY_HEADERS


@dataclass(frozen=True)
class Refusal:
    """Status, code and sentence. What the client sent is not repeated: it may be anything."""

    status: HTTPStatus
    code: str
    detail: str

    def encode(self, request_id: str) -> bytes:
        """Return the whole answer, head and body; the connection ends with it."""
        body = orjson.dumps(
            {
                "type": f"urn:galley:problem:{self.code}",
                "title": self.code.replace("_", " ").capitalize(),
                "status": int(self.status),
                "detail": self.detail,
                # Clients of /v2 read this one; which path they meant is not known here.
                "error": self.detail,
                "code": self.code,
                "request_id": request_id,
                "retryable": False,
            }
        )
        headers = {
            "Connection": "close",
            "Content-Type": "application/problem+json",
            "Content-Length": len(body),
            "X-Request-ID": request_id,
            **dict(SECURITY_HEADERS),
        }
        lines = [f"HTTP/1.1 {int(self.status)} {self.status.phrase}", *(f"{name}: {headers[name]}" for name in headers)]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


INTERNAL = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong inside the server.")

_MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", "The bytes received are not an HTTP request.")
_REFUSALS: dict[type[Exception], Refusal] = {
    LimitRequestLine: Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The request line is too long."),
    LimitRequestHeaders: Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "The headers are too many or too long."
    ),
    UnsupportedTransferCoding: Refusal(
        HTTPStatus.NOT_IMPLEMENTED, "unsupported_transfer_coding", "Of transfer codings only 'chunked' is read."
    ),
    ExpectationFailed: Refusal(
        HTTPStatus.EXPECTATION_FAILED, "expectation_failed", "Of expectations only '100-continue' is met."
    ),
    ForbiddenProxyRequest: Refusal(HTTPStatus.FORBIDDEN, "forbidden_proxy", "This proxy is not trusted."),
}


def refusal_of(error: BaseException) -> Refusal:
    """Return the refusal for what gunicorn raised; `INTERNAL` when it was not the client's doing."""
    if isinstance(error, InvalidResponseHeader | InvalidResponseHeaderName) or not isinstance(error, ParseException):
        return INTERNAL

    return _REFUSALS.get(type(error), _MALFORMED)
