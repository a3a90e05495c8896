"""Tokens, for whoever has a client's credentials."""

from dataclasses import asdict
from typing import Any

from flask import Response

from app.errors import (
    DatabaseUnavailable,
    InvalidClient,
    InvalidScope,
    InvalidTokenRequest,
    RateLimited,
    UnsupportedGrantType,
)
from app.web.api import GalleyBlueprint, problems
from app.web.blueprints.auth.oauth_errors import add_oauth_members
from app.web.blueprints.auth.parameters import Credentials, read_credentials, read_parameters, read_required
from app.web.blueprints.auth.schemas import (
    TOKEN_EXAMPLE,
    TOKEN_REQUEST_EXAMPLE,
    RevocationRequestSchema,
    TokenRequestSchema,
    TokenSchema,
    form_or_json,
)
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import current_limits

_LOGIN_PROBLEMS = (InvalidClient, RateLimited, DatabaseUnavailable)

blp = GalleyBlueprint("auth", __name__, url_prefix="/auth", description="Tokens: issue and revoke")
blp.after_app_request(add_oauth_members)


@blp.after_request
def forbid_storing(response: Response) -> Response:
    """Keep tokens out of caches (RFC 6749 §5.1)."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.route("/token", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidTokenRequest, UnsupportedGrantType, InvalidScope, *_LOGIN_PROBLEMS)
@blp.doc(requestBody=form_or_json(TokenRequestSchema, TOKEN_REQUEST_EXAMPLE))
@blp.response(200, TokenSchema, example=TOKEN_EXAMPLE)
def issue_token() -> dict[str, Any]:
    """Issue an access token for a client's credentials.

    OAuth 2.0 client credentials grant (RFC 6749 §4.4), as a form or as JSON; the credentials may come in a Basic
    header. Failures also carry `error` and `error_description`. Only failed attempts count against a limit.
    """
    parameters = read_parameters()
    if read_required(parameters, "grant_type") != "client_credentials":
        raise UnsupportedGrantType
    credentials = read_credentials(parameters)
    if credentials is None:
        raise InvalidClient

    with current_limits().login(credentials.client_id):
        issued = services().tokens.issue(
            credentials.client_id, credentials.client_secret, scope=parameters.get("scope")
        )
    return {"token_type": "Bearer", **asdict(issued)}


@blp.route("/revoke", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidTokenRequest, *_LOGIN_PROBLEMS)
@blp.doc(requestBody=form_or_json(RevocationRequestSchema, {"token": TOKEN_EXAMPLE["access_token"]}))
@blp.response(200, description="The token is refused everywhere within a second.")
def revoke_token() -> None:
    """Take a token back (RFC 7009).

    Whoever holds a token may take it back; credentials, when sent, must be those of its client. A token that is
    unknown or no longer valid is answered with 200 as well.
    """
    parameters = read_parameters()
    token = read_required(parameters, "token")
    credentials = read_credentials(parameters)
    client_id = _prove(credentials) if credentials else None
    services().tokens.revoke(token, by=client_id)


def _prove(credentials: Credentials) -> str:
    with current_limits().login(credentials.client_id):
        return services().tokens.authenticate(credentials.client_id, credentials.client_secret).client_id
