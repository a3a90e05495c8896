"""Fields of the audit log."""

from datetime import UTC, datetime
from typing import Final

from marshmallow import Schema, ValidationError, fields, validate

from app.web.schemas import described

ENTRY_EXAMPLE: Final = {
    "id": 118,
    "at": "2026-01-31T12:00:00+00:00",
    "actor": "release-bot",
    "action": "alias.set",
    "target": "digits/aliases/default",
    "details": {"from": 1, "to": 2, "why": "0.4 points better on last week's orders"},
    "request_id": "4f1c2d7e9a0b4c5d8e6f7a8b9c0d1e2f",
}


def _text(longest: int) -> validate.Regexp:
    """Accept what can be in the log; no database is asked about anything else."""
    return validate.Regexp(rf"[!-~]{{1,{longest}}}\Z", error=f"Send 1 to {longest} printable ASCII characters.")


def _is_told_in_utc(at: datetime) -> None:
    try:
        at.astimezone(UTC)
    except OverflowError as err:
        raise ValidationError("In UTC this is before the year 1 or after the year 9999.") from err


class AuditQuery(Schema):
    """Which entries to list."""

    actor = fields.String(
        load_default=None, validate=_text(64), metadata=described("Only what this client did; or `cli`.")
    )
    action = fields.String(load_default=None, validate=_text(64), metadata=described("Only this, like `alias.set`."))
    target = fields.String(
        load_default=None,
        validate=_text(256),
        metadata=described("Only what was done to targets that begin so, like `digits/`."),
    )
    since = fields.AwareDateTime(
        load_default=None, validate=_is_told_in_utc, metadata=described("From this time on, RFC 3339.")
    )
    until = fields.AwareDateTime(
        load_default=None, validate=_is_told_in_utc, metadata=described("Before this time, RFC 3339.")
    )


class AuditEntrySchema(Schema):
    """One change."""

    id = fields.Integer(required=True, metadata=described("Rises with each entry."))
    at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True, metadata=described("The client that did it, or `cli`."))
    action = fields.String(required=True, metadata=described("`noun.verb`."))
    target = fields.String(required=True, metadata=described("What it was done to."))
    details = fields.Dict(required=True, metadata=described("What else is worth knowing; depends on the action."))
    request_id = fields.String(required=True, metadata=described("Finds the request in the log; empty without one."))
