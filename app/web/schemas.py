"""Schemas that several resources share."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.services.routing import LONGEST_VERSION

LONGEST_MODEL_NAME: Final = 128


def described(text: str, **more: object) -> dict[str, object]:
    """Return the metadata of a field: its description, and whatever OpenAPI also shows."""
    return {"description": text, **more}


def model_field(default: str, *, example: str) -> fields.String:
    """Return the query's `model`, described by the one that answers where it is left out."""
    return fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=LONGEST_MODEL_NAME),
        metadata=described(f"Name of the model; by default {default}.", example=example),
    )


def version_field() -> fields.String:
    """Return the query's `version`."""
    return fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=LONGEST_VERSION),
        metadata=described("Version number or alias; by default the alias `default`.", example="1"),
    )


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


class RowErrorSchema(Schema):
    """Why one of several rows has no answer."""

    code = fields.String(required=True, metadata=described("The kind of failure.", example="model_failed"))
    detail = fields.String(required=True, metadata=described("What is wrong with this one."))


class LabelSchema(Schema):
    """One class of the model and how sure it is of it."""

    index = fields.Integer(required=True, metadata=described("Place in the model's output.", example=7))
    label = fields.String(required=True, metadata=described("Name of the class.", example="7"))
    score = fields.Float(required=True, metadata=described("Usually a probability.", example=0.9871))
