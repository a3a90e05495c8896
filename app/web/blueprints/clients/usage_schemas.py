"""Fields of what clients use."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.web.schemas import described

MOST_DAYS: Final = 366

_USED_EXAMPLE: Final = {
    "requests": 86_400,
    "answered": 86_000,
    "caller_errors": 250,
    "refused": 100,
    "errors": 50,
    "rows": 172_000,
}
USAGE_EXAMPLE: Final = {
    "client_id": "checkout",
    "limits": {
        "inference": {"limit": 5000, "used": 120, "remaining": 4880, "resets_at": "2026-01-31T12:00:01+00:00"},
        "management": {"limit": 50, "used": 0, "remaining": 50, "resets_at": None},
    },
    "days": [{"day": "2026-01-31", "classes": {"inference": _USED_EXAMPLE}, "models": {"recommender": _USED_EXAMPLE}}],
}


class UsageQuerySchema(Schema):
    """How far back to look."""

    days = fields.Integer(
        load_default=30,
        validate=validate.Range(1, MOST_DAYS),
        metadata=described("Days, with today. Older ones than `USAGE_DAYS` are not kept."),
    )


class LimitSchema(Schema):
    """Where a client stands within one limit."""

    limit = fields.Integer(required=True, metadata=described("Requests that one window allows."))
    used = fields.Integer(
        required=True, metadata=described("Counted in the running window, with the few that web workers hold back.")
    )
    remaining = fields.Integer(required=True)
    resets_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata=described("When the window ends; null when none is running.")
    )


class UsedSchema(Schema):
    """Requests of a day, by how they ended."""

    requests = fields.Integer(required=True, metadata=described("All of them: the sum of the next four."))
    answered = fields.Integer(required=True)
    caller_errors = fields.Integer(required=True, metadata=described("Answered with 4xx, 429 aside."))
    refused = fields.Integer(required=True, metadata=described("Answered with 429: over the limit."))
    errors = fields.Integer(required=True, metadata=described("Answered with 5xx."))
    rows = fields.Integer(required=True, metadata=described("Rows that models answered: images, users, tensors."))


class DayOfUseSchema(Schema):
    """One day of UTC."""

    day = fields.Date(required=True)
    classes = fields.Dict(
        keys=fields.String(), values=fields.Nested(UsedSchema), required=True, metadata=described("By class of route.")
    )
    models = fields.Dict(
        keys=fields.String(), values=fields.Nested(UsedSchema), required=True, metadata=described("By model asked.")
    )


class UsageSchema(Schema):
    """What a client uses."""

    client_id = fields.String(required=True)
    limits = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(LimitSchema),
        required=True,
        metadata=described("By class of route. Failed logins are counted by client and address, and not told."),
    )
    days = fields.List(fields.Nested(DayOfUseSchema), required=True)
