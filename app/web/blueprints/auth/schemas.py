"""Fields of token requests and answers, for the OpenAPI document: parameters.py reads them."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.web.schemas import described

TOKEN_REQUEST_EXAMPLE: Final = {
    "grant_type": "client_credentials",
    "client_id": "admin",
    "client_secret": "3f9a01c7.kq3v0gq2m2m1o2bq0y1z4w5x6y7z8a9b0c1d2e3f4g5",
    "scope": "infer models:read",
}
TOKEN_EXAMPLE: Final[dict[str, Any]] = {
    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZG1pbiJ9.signature",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "infer models:read",
}


class TokenRequestSchema(Schema):
    """The client credentials grant of RFC 6749 §4.4."""

    grant_type = fields.String(
        required=True, validate=validate.Equal("client_credentials"), metadata=described("Always `client_credentials`.")
    )
    client_id = fields.String(metadata=described("The client; may come in a Basic header instead."))
    client_secret = fields.String(metadata=described("Its secret; may come in a Basic header instead."))
    scope = fields.String(metadata=described("Scopes with spaces between; without it, all that the client has."))


class TokenSchema(Schema):
    """A fresh token (RFC 6749 §5.1)."""

    access_token = fields.String(required=True, metadata=described("Send it as `Authorization: Bearer …`."))
    token_type = fields.String(required=True, metadata=described("Always `Bearer`."))
    expires_in = fields.Integer(required=True, metadata=described("Its lifetime in seconds."))
    scope = fields.String(required=True, metadata=described("The scopes it carries."))


class RevocationRequestSchema(Schema):
    """A revocation (RFC 7009 §2.1)."""

    token = fields.String(required=True, metadata=described("The token to take back."))
    token_type_hint = fields.String(metadata=described("Ignored: there are only access tokens."))
    client_id = fields.String(metadata=described("The token's client. With its secret, it must be the right one."))
    client_secret = fields.String(metadata=described("The secret of `client_id`."))


def form_or_json(schema: type[Schema], example: dict[str, str]) -> dict[str, Any]:
    """Return the OpenAPI request body of a route that reads a form or JSON."""
    media = {"schema": schema, "example": example}
    return {
        "required": True,
        "content": {"application/x-www-form-urlencoded": media, "application/json": dict(media)},
    }
