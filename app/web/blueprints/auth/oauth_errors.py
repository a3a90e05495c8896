"""OAuth's own members on failures under /auth: `error` and `error_description` beside the problem document's."""

from typing import Final

import orjson
from flask import Response, request

from app.errors import InvalidClient, InvalidScope, InvalidTokenRequest, UnsupportedGrantType
from app.web.problems import PROBLEM_JSON

PATH: Final = "/auth/"

# Codes that RFC 6749 §5.2 knows; all others are told by their status.
_OAUTH_CODES = frozenset(
    error.code for error in (InvalidTokenRequest, InvalidClient, UnsupportedGrantType, InvalidScope)
)


def add_oauth_members(response: Response) -> Response:
    """Add the members of RFC 6749 §5.2 to a problem document under /auth."""
    if not request.path.startswith(PATH) or response.mimetype != PROBLEM_JSON:
        return response

    problem = orjson.loads(response.get_data())
    members = {"error": _oauth_error(problem["code"], response.status_code), "error_description": problem["detail"]}
    response.set_data(orjson.dumps(problem | members))
    return response


def _oauth_error(code: str, status: int) -> str:
    if code in _OAUTH_CODES:
        return code
    if status in (429, 503):
        return "temporarily_unavailable"

    return "server_error" if status >= 500 else InvalidTokenRequest.code
