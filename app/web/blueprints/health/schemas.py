"""What the health routes answer."""

from marshmallow import Schema, fields

from app.web.schemas import described


class LivenessSchema(Schema):
    """The process answers."""

    live = fields.Boolean(required=True)


class PartSchema(Schema):
    """One part Galley needs."""

    ready = fields.Boolean(required=True)
    reason = fields.String(metadata=described("Why not; only where it is not ready."))


class ReadinessSchema(Schema):
    """Whether requests can be served, part by part."""

    ready = fields.Boolean(required=True, metadata=described("Whether every part is ready."))
    parts = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(PartSchema),
        required=True,
        metadata=described("`database`, `directory` (of runners) and `models`."),
    )
