"""What the routes of models and versions answer."""

from marshmallow import Schema, fields

from app.web.schemas import described


class VersionSummarySchema(Schema):
    """One version, in the list of its model."""

    version = fields.Integer(required=True)
    state = fields.String(required=True, metadata=described("READY, LOADING, DRAINING, FAILED or UNLOADED."))
    reason = fields.String(
        required=True,
        metadata=described("Why it does not run: it was unloaded, memory is scarce, or it failed. Else empty."),
    )
    task = fields.String(required=True, metadata=described("What the model does."))
    execution = fields.String(required=True, metadata=described("`online` (by a runner) or `heavy` (by Celery)."))
    pinned = fields.Boolean(required=True, metadata=described("Whether it stays loaded though no alias names it."))
    unloaded = fields.Boolean(required=True, metadata=described("Whether it was unloaded, and waits to be loaded."))
    instances = fields.Integer(required=True, metadata=described("How many runners it should have."))
    size_bytes = fields.Integer(required=True, metadata=described("All its files together."))
    created_at = fields.DateTime(required=True, metadata=described("RFC 3339, UTC."))
    created_by = fields.String(required=True)


class ModelSchema(Schema):
    """One model: its versions, newest first, and the names that point at them."""

    name = fields.String(required=True)
    default = fields.Integer(
        required=True, allow_none=True, metadata=described("The version that answers callers who name none.")
    )
    aliases = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    versions = fields.List(fields.Nested(VersionSummarySchema), required=True)


class RunnerSchema(Schema):
    """One process that runs the version."""

    state = fields.String(required=True)
    reason = fields.String(required=True, metadata=described("Why it failed; else empty."))
    pid = fields.Integer(required=True)
    host = fields.String(required=True)
    address = fields.String(required=True)
    memory_bytes = fields.Integer(required=True, metadata=described("Its proportional share (PSS)."))
    rows_per_s = fields.Float(required=True, metadata=described("Its measured best speed."))
    load_s = fields.Float(required=True, metadata=described("How long it took from start to READY."))
    queued_rows = fields.Integer(required=True)
    capacity_rows = fields.Integer(required=True)


class VersionSchema(VersionSummarySchema):
    """One version with its manifest and its runners."""

    name = fields.String(required=True)
    digest = fields.String(required=True, metadata=described("SHA-256 of the manifest."))
    aliases = fields.List(fields.String(), required=True)
    manifest = fields.Dict(required=True, metadata=described("As published; docs/models.md explains each field."))
    runners = fields.List(fields.Nested(RunnerSchema), required=True)
