"""What the retention of versions takes and answers."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.web.schemas import described

PLAN_EXAMPLE: Final = {
    "name": "churn",
    "dry_run": True,
    "deleted": [1, 2],
    "kept": [
        {"version": 3, "reasons": ["the alias 'default' points at it"]},
        {"version": 4, "reasons": ["it is one of the newest 1"]},
    ],
}


class RetentionSchema(Schema):
    """How many versions to keep."""

    keep = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=1, max=1_000_000),
        metadata=described("How many of the newest versions stay, whether something names them or not."),
    )
    dry_run = fields.Boolean(
        load_default=True, truthy={True}, falsy={False}, metadata=described("Only say what would be deleted.")
    )


class KeptVersionSchema(Schema):
    """A version that stays."""

    version = fields.Integer(required=True)
    reasons = fields.List(fields.String(), required=True, metadata=described("Why it stays."))


class RetentionPlanSchema(Schema):
    """What was deleted, or would be."""

    name = fields.String(required=True)
    dry_run = fields.Boolean(required=True, metadata=described("Whether nothing was deleted."))
    deleted = fields.List(fields.Integer(), required=True, metadata=described("The versions that go."))
    kept = fields.List(fields.Nested(KeptVersionSchema), required=True)
