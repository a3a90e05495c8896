"""Schemas that several resources share."""

from marshmallow import Schema, fields


def described(text: str, **more: object) -> dict[str, object]:
    """Return the metadata of a field: its description, and whatever OpenAPI also shows."""
    return {"description": text, **more}


class ProblemSchema(Schema):
    """An RFC 9457 problem document. Documentation only: error_handlers writes it."""

    type = fields.String(required=True, metadata=described("A URN that ends in `code`."))
    title = fields.String(required=True, metadata=described("The kind of failure, in words."))
    status = fields.Integer(required=True, metadata=described("The HTTP status."))
    detail = fields.String(required=True, metadata=described("What went wrong this time, for people."))
    code = fields.String(required=True, metadata=described("The kind of failure, for programs. Never changes."))
    request_id = fields.String(required=True, metadata=described("Finds the request in the server's log."))
    retryable = fields.Boolean(required=True, metadata=described("Whether sending the same again can succeed."))
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata=described("For a rejected body or query: what is wrong with which field."),
    )


class V2FailureSchema(Schema):
    """A failure under /v2, in the form of the Open Inference Protocol. Documentation only."""

    error = fields.String(required=True, metadata=described("What went wrong this time, for people."))
    code = fields.String(required=True, metadata=described("The kind of failure, for programs. Never changes."))
    request_id = fields.String(required=True, metadata=described("Finds the request in the server's log."))
    retryable = fields.Boolean(required=True, metadata=described("Whether sending the same again can succeed."))


class AnsweringModelSchema(Schema):
    """Which model version answered, and the variant of its route if one chose."""

    name = fields.String(required=True, metadata=described("Name of the model.", example="digits"))
    version = fields.Integer(required=True, metadata=described("The immutable version.", example=1))
    variant = fields.String(
        required=True, allow_none=True, metadata=described("The route's variant; null without one.", example=None)
    )
