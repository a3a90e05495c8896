"""Fields of aliases, with examples."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.services.aliases import LONGEST_CACHE_TTL_S, LONGEST_WHY
from app.web.blueprints.models.version_field import VersionField
from app.web.schemas import described
from model_store.model_ref import MAX_VERSION

MOVE_EXAMPLE: Final = {"version": 2, "why": "0.4 points better on last week's orders"}
ALIAS_EXAMPLE: Final = {
    "alias": "default",
    "version": 2,
    "previous_version": 1,
    "cache_ttl_s": None,
    "updated_at": "2026-01-31T12:00:00+00:00",
    "updated_by": "release-bot",
}
CHANGE_EXAMPLE: Final = {
    "at": "2026-01-31T12:00:00+00:00",
    "by": "release-bot",
    "from": 1,
    "to": 2,
    "why": "0.4 points better on last week's orders",
}


class AliasMoveSchema(Schema):
    """Where an alias is to point."""

    version = VersionField(required=True, metadata=described("The version's number, or an alias that points at it."))
    why = fields.String(load_default="", metadata=described("For the history.", maxLength=LONGEST_WHY))
    expected = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MAX_VERSION),
        metadata=described("Move it only if it points at this version now; else 409 `alias_moved`."),
    )
    cache_ttl_s = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(0, LONGEST_CACHE_TTL_S),
        metadata=described(
            "For how many seconds answers are kept of callers who name the alias, or no version where it is `default`."
            " 0 keeps none, null leaves it to the server's setting. Left out, it stays as it was."
        ),
    )


class AliasDeletionQuery(Schema):
    """Why an alias goes."""

    why = fields.String(load_default="", metadata=described("For the history.", maxLength=LONGEST_WHY))


class AliasSchema(Schema):
    """An alias and the version it points at."""

    alias = fields.String(required=True)
    version = fields.Integer(required=True, metadata=described("The version it points at."))
    previous_version = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described("Where it pointed before: that version answers until the new one has a runner READY."),
    )
    cache_ttl_s = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described("For how many seconds answers are kept; null: as the server's setting says."),
    )
    updated_at = fields.AwareDateTime(required=True, metadata=described("When it last moved."))
    updated_by = fields.String(required=True, metadata=described("Who moved it."))


class AliasChangeSchema(Schema):
    """One move of an alias."""

    at = fields.AwareDateTime(required=True)
    by = fields.String(required=True, metadata=described("The client, or `cli`."))
    from_version = fields.Integer(
        data_key="from", required=True, allow_none=True, metadata=described("Null: the alias was made.")
    )
    to_version = fields.Integer(
        data_key="to", required=True, allow_none=True, metadata=described("Null: the alias was deleted.")
    )
    why = fields.String(required=True)
