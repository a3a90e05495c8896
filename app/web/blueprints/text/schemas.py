"""What text classifications read from the query, and how their answers are described."""

from marshmallow import Schema, fields, validate

from app.scenarios.text import DEFAULT_TOP_K, MAX_TOP_K
from app.web.schemas import (
    AnsweringModelSchema,
    LabelSchema,
    RowErrorSchema,
    described,
    model_field,
    version_field,
)


class TextQuery(Schema):
    """How to classify, and by which model."""

    top_k = fields.Integer(
        load_default=DEFAULT_TOP_K,
        validate=validate.Range(min=1, max=MAX_TOP_K),
        metadata=described("How many labels per text, best first; more than the model has means all."),
    )
    model = model_field("the one that serves texts", example="text")
    version = version_field()


class TextResultSchema(Schema):
    """What one text is taken for, or its error."""

    label = fields.String(metadata=described("The best label.", example="card_arrival"))
    score = fields.Float(metadata=described("How sure the model is of it; usually a probability.", example=0.9406))
    labels = fields.List(fields.Nested(LabelSchema), metadata=described("Best first."))
    error = fields.Nested(RowErrorSchema, metadata=described("In place of all others, for one among several."))


class TextClassificationSchema(Schema):
    """The texts' results, in the order sent, and what answered."""

    results = fields.List(fields.Nested(TextResultSchema), required=True)
    model = fields.Nested(AnsweringModelSchema, required=True)
