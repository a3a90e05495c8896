"""What image classifications read and write."""

from marshmallow import Schema, fields, validate

from app.scenarios.images import DEFAULT_TOP_K, MAX_TOP_K
from app.web.schemas import AnsweringModelSchema, LabelSchema, RowErrorSchema, described, model_field, version_field


class ClassificationQuery(Schema):
    """How to classify, and by which model."""

    top_k = fields.Integer(
        load_default=DEFAULT_TOP_K,
        validate=validate.Range(min=1, max=MAX_TOP_K),
        metadata=described("How many labels per image, best first; more than the model has means all."),
    )
    model = model_field("the one that serves images", example="digits")
    version = version_field()


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
