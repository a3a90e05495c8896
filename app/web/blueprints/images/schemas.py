"""What image classifications read and write."""

from marshmallow import Schema, fields, validate

from app.scenarios.images import DEFAULT_TOP_K, MAX_TOP_K
from app.services.routing import LONGEST_VERSION
from app.web.schemas import AnsweringModelSchema, described

LONGEST_NAME = 128


class ClassificationQuery(Schema):
    """How to classify, and by which model."""

    top_k = fields.Integer(
        load_default=DEFAULT_TOP_K,
        validate=validate.Range(min=1, max=MAX_TOP_K),
        metadata=described("How many labels per image, best first; more than the model has means all."),
    )
    model = fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=LONGEST_NAME),
        metadata=described("Name of the model; by default the one that serves images.", example="digits"),
    )
    version = fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=LONGEST_VERSION),
        metadata=described("Version number or alias; by default the alias `default`.", example="1"),
    )


class LabelSchema(Schema):
    """One class of the model and how sure it is of it."""

    index = fields.Integer(required=True, metadata=described("Place in the model's output.", example=7))
    label = fields.String(required=True, metadata=described("Name of the class.", example="7"))
    score = fields.Float(required=True, metadata=described("Usually a probability.", example=0.9871))


class RowErrorSchema(Schema):
    """Why one of several images has no labels."""

    code = fields.String(required=True, metadata=described("The kind of failure.", example="unreadable_image"))
    detail = fields.String(required=True, metadata=described("What is wrong with this image."))


class ImageResultSchema(Schema):
    """One image: its labels and size, or its error."""

    labels = fields.List(fields.Nested(LabelSchema), metadata=described("Best first."))
    width = fields.Integer(metadata=described("Pixels, upright (after EXIF orientation).", example=500))
    height = fields.Integer(metadata=described("Pixels, upright (after EXIF orientation).", example=375))
    error = fields.Nested(RowErrorSchema, metadata=described("Instead of all others, for a bad one among several."))


class ClassificationSchema(Schema):
    """The images' results, in the order sent, and what answered."""

    results = fields.List(fields.Nested(ImageResultSchema), required=True)
    model = fields.Nested(AnsweringModelSchema, required=True)
