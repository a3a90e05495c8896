"""Fields of what runs."""

from marshmallow import Schema, fields, validate

from app.services.residency import MOST_INSTANCES
from app.web.schemas import described


class InstancesSchema(Schema):
    """How many runners a version should have."""

    instances = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(1, MOST_INSTANCES),
        metadata=described("Runners of this version."),
    )
