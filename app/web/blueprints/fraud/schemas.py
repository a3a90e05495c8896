"""What fraud scores read from the query, and how their answers are described."""

from typing import get_args

from marshmallow import Schema, fields, validate

from app.scenarios.fraud_answers import Decision
from app.web.schemas import AnsweringModelSchema, described, model_field, version_field


class FraudQuery(Schema):
    """Which model is to score."""

    model = model_field("the one that scores payments", example="fraud")
    version = version_field()


class ReasonSchema(Schema):
    """A group of features that moved the score up."""

    feature = fields.String(required=True, metadata=described("The group, as the version calls it.", example="amount"))
    effect = fields.Float(required=True, metadata=described("By how much, in logits.", example=1.377))


class FraudScoreSchema(Schema):
    """How likely an event is fraud, what to do about it, and why; and what answered."""

    event_id = fields.String(required=True, metadata=described("The event that was sent."))
    score = fields.Float(
        required=True, validate=validate.Range(min=0, max=1), metadata=described("How likely it is fraud.")
    )
    decision = fields.String(
        required=True,
        validate=validate.OneOf(get_args(Decision)),
        metadata=described("What to do, by the thresholds of the version."),
    )
    reasons = fields.List(
        fields.Nested(ReasonSchema), required=True, metadata=described("The strongest first; there may be none.")
    )
    model = fields.Nested(AnsweringModelSchema, required=True)
