"""A good answer before it is a response: what the fast path writes, and Flask's views return."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

from flask import Response
from werkzeug.http import generate_etag, is_resource_modified, quote_etag

from app.errors import PreconditionFailed

# Larger answers are handed on piece by piece, so that no copy of the whole is made at once.
PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a good answer, what it is, and the headers that belong to it."""

    body: bytes | memoryview
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK

    def entity_headers(self) -> list[tuple[str, str]]:
        """Return what tells of the body; nothing where there is none by HTTP (RFC 9110 §15.4.5)."""
        if self.status == HTTPStatus.NOT_MODIFIED:
            return []

        return [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]

    def response(self) -> Response:
        """Return it as Flask's; a large body goes out in pieces."""
        if len(self.body) <= PIECE_BYTES:
            return Response(bytes(self.body), self.status, self.headers, content_type=self.content_type)

        headers = {**self.headers, "Content-Length": str(len(self.body))}
        return Response(self.pieces(), self.status, headers, content_type=self.content_type, direct_passthrough=True)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as pieces of PIECE_BYTES."""
        for start in range(0, len(self.body), PIECE_BYTES):
            yield bytes(self.body[start : start + PIECE_BYTES])


def unless_known(answer: Answer, environ: dict[str, Any]) -> Answer:
    """Return `answer` with its ETag; where the caller of `environ` has the same already, a 304 in its place.

    :raises PreconditionFailed: when the caller wants another one only (`If-Match`).
    """
    tag = quote_etag(generate_etag(bytes(answer.body)))
    tagged = replace(answer, headers={**answer.headers, "ETag": tag})
    if is_resource_modified(environ, etag=tag):
        return tagged
    if environ.get("HTTP_IF_MATCH"):
        raise PreconditionFailed

    return replace(tagged, body=b"", status=HTTPStatus.NOT_MODIFIED)
