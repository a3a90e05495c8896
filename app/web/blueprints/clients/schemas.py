"""Fields of clients."""

from typing import Final

from marshmallow import Schema, fields

from app.services.clients import LONGEST_DESCRIPTION, MOST_GLOBS
from app.services.scopes import Scope
from app.web.fields import ShortList
from app.web.schemas import described

CLIENT_EXAMPLE: Final = {
    "client_id": "checkout",
    "description": "The checkout team's service",
    "scopes": ["infer"],
    "models": ["fraud*"],
    "created_at": "2026-01-31T12:00:00+00:00",
    "created_by": "admin",
}
ISSUED_EXAMPLE: Final = {
    **CLIENT_EXAMPLE,
    "client_secret": "3f9a01c7.kq3v0gq2m2m1o2bq0y1z4w5x6y7z8a9b0c1d2e3f4g5",
}


class NewClientSchema(Schema):
    """A client to be made. The service checks what each field may hold."""

    client_id = fields.String(
        load_default=None, metadata=described("1 to 64 of A-Z a-z 0-9 . _ - ; a random one when left out.")
    )
    description = fields.String(
        load_default="", metadata=described("Who it is, for people.", maxLength=LONGEST_DESCRIPTION)
    )
    scopes = ShortList(
        fields.String(metadata={"enum": [scope.value for scope in Scope]}),
        most=len(Scope),
        required=True,
        metadata=described("What its tokens may be used for."),
    )
    models = ShortList(
        fields.String(),
        most=MOST_GLOBS,
        data_key="models",
        attribute="model_globs",
        load_default=["*"],
        metadata=described("The models it may use: names, or globs with * ? [abc]."),
    )


class ClientSchema(Schema):
    """A client, without its secrets."""

    client_id = fields.String(required=True, metadata=described("Names the client in token requests."))
    description = fields.String(required=True, metadata=described("Who it is, for people."))
    scopes = fields.List(fields.String(), required=True, metadata=described("What its tokens may be used for."))
    models = fields.List(
        fields.String(), attribute="model_globs", required=True, metadata=described("The models it may use.")
    )
    created_at = fields.AwareDateTime(required=True, metadata=described("When it was made."))
    created_by = fields.String(required=True, metadata=described("Who made it."))


class IssuedClientSchema(ClientSchema):
    """A client and its new secret."""

    client_secret = fields.String(required=True, metadata=described("Shown this once; only a hash of it is kept."))
