"""Fields of outcomes and of the readout."""

import math
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.services.allocation import LONGEST_SUBJECT
from app.services.outcomes import LARGEST_VALUE
from app.web.fields import ShortList
from app.web.schemas import described

MOST_OUTCOMES: Final = 1000
_SINGLE = ("request_id", "subject", "variant", "metric", "value")


class FiniteNumber(fields.Float):
    """A JSON number within LARGEST_VALUE of zero; no string and no boolean, which floats are made of elsewhere."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Send a number; 1 and 0 for what happened and what did not.")
        # Compared before it is converted: an integer may be too large for a float.
        if not -LARGEST_VALUE <= value <= LARGEST_VALUE or math.isnan(value):
            raise ValidationError(f"Send a number from {-LARGEST_VALUE:g} to {LARGEST_VALUE:g}.")

        return float(value)


def _printable(text: str) -> None:
    if not text.isprintable():
        raise ValidationError("Send printable characters.")


class _OutcomeFields(Schema):
    request_id = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9._:/+=-]{1,128}\Z", error="Send a request's X-Request-ID."),
        metadata=described(
            "The X-Request-ID of the request that it came of.", example="4f1c2d7e9a0b4c5d8e6f7a8b9c0d1e2f"
        ),
    )
    subject = fields.String(
        validate=[validate.Length(1, LONGEST_SUBJECT), _printable],
        metadata=described("Or the subject that it came of.", example="user-4711"),
    )
    variant = fields.String(
        validate=[validate.Length(1, 64), _printable],
        metadata=described("The variant that answered (header X-Variant); found out when left out."),
    )
    metric = fields.String(
        validate=validate.Regexp(r"[a-z][a-z0-9_.]{0,63}\Z", error="Name a metric like conversion or order.value."),
        metadata=described("What was measured.", example="conversion"),
    )
    value = FiniteNumber(metadata=described("The value; 1 and 0 for what happened and what did not.", example=1))


class OutcomeSchema(_OutcomeFields):
    """One outcome of a list."""

    @validates_schema
    def check_whole(self, data: dict[str, Any], **_: Any) -> None:
        """Ask for a metric, a value, and either a request or a subject."""
        _check_whole(data)


class OutcomesSchema(_OutcomeFields):
    """One outcome, or a list of them as `outcomes`."""

    outcomes = ShortList(
        fields.Nested(OutcomeSchema),
        most=MOST_OUTCOMES,
        metadata=described(
            f"Instead of the other fields: up to {MOST_OUTCOMES} outcomes, recorded whole or not at all."
        ),
    )

    @validates_schema
    def check_form(self, data: dict[str, Any], **_: Any) -> None:
        """Ask for one form or the other."""
        if "outcomes" not in data:
            _check_whole(data)
        elif mixed := [name for name in _SINGLE if name in data]:
            raise ValidationError({name: ["Leave it out beside a list of outcomes."] for name in mixed})


class AssignedSchema(Schema):
    """What an outcome counts for."""

    revision = fields.Integer(required=True, metadata=described("Of the model's route."))
    variant = fields.String(required=True)


class RecordedSchema(Schema):
    """What was recorded, in the order sent."""

    outcomes = fields.List(fields.Nested(AssignedSchema), required=True)


class IntervalSchema(Schema):
    """A 95 % confidence interval."""

    low = fields.Float(required=True)
    high = fields.Float(required=True)


class RateSchema(IntervalSchema):
    """A share, with Wilson's score interval."""

    value = fields.Float(required=True)


class DifferenceSchema(IntervalSchema):
    """How far a mean lies above that of the first variant, by Welch's test."""

    value = fields.Float(required=True)
    p_value = fields.Float(required=True, allow_none=True, metadata=described("null where no value varies."))


class MetricSchema(Schema):
    """The values of one metric."""

    metric = fields.String(required=True)
    count = fields.Integer(required=True)
    mean = fields.Float(required=True)
    interval = fields.Nested(
        IntervalSchema, required=True, allow_none=True, metadata=described("Student's; null for too few values.")
    )
    difference = fields.Nested(
        DifferenceSchema, required=True, allow_none=True, metadata=described("null for the first variant, or too few.")
    )
    note = fields.String(required=True, metadata=described("Why something is null; else empty."))


class LatencySchema(Schema):
    """Quantiles of answered requests in milliseconds, within 1 %; null where too few were answered."""

    p50 = fields.Float(required=True, allow_none=True)
    p90 = fields.Float(required=True, allow_none=True)
    p99 = fields.Float(required=True, allow_none=True)


class VariantReadoutSchema(Schema):
    """One variant. Everything that Redis counts is null while Redis is away."""

    name = fields.String(required=True)
    version = fields.Raw(
        required=True,
        allow_none=True,
        metadata=described(
            "As the route names it, by number or alias; null for earlier revisions.",
            oneOf=[{"type": "integer"}, {"type": "string"}],
            nullable=True,
        ),
    )
    share = fields.Float(
        required=True, allow_none=True, metadata=described("Of the buckets; null where it is forgotten.")
    )
    requests = fields.Integer(required=True, allow_none=True)
    errors = fields.Integer(required=True, allow_none=True, metadata=described("Answered with 5xx."))
    caller_errors = fields.Integer(
        required=True, allow_none=True, metadata=described("Answered with 4xx: the caller's own, no part of errors.")
    )
    error_rate = fields.Nested(RateSchema, required=True, allow_none=True)
    latency_ms = fields.Nested(LatencySchema, required=True)
    subjects = fields.Integer(
        required=True, allow_none=True, metadata=described("Different ones, without those that an override sent.")
    )
    outcomes = fields.List(fields.Nested(MetricSchema), required=True)


class SampleRatioSchema(Schema):
    """Whether the subjects divide as the buckets do."""

    p_value = fields.Float(required=True, allow_none=True, metadata=described("Pearson's chi-square."))
    is_mismatch = fields.Boolean(
        required=True, allow_none=True, metadata=described("True under p = 0.001; null where it cannot be told.")
    )
    sentence = fields.String(required=True)


class ReadoutSchema(Schema):
    """How the variants of one revision of a route do."""

    model = fields.String(required=True)
    revision = fields.Integer(required=True)
    is_current = fields.Boolean(required=True, metadata=described("Whether the model's route has this revision now."))
    confidence = fields.Float(required=True, metadata=described("Of all intervals.", example=0.95))
    variants = fields.List(
        fields.Nested(VariantReadoutSchema),
        required=True,
        metadata=described("The first is what others are compared with."),
    )
    sample_ratio = fields.Nested(SampleRatioSchema, required=True)
    notes = fields.List(fields.String(), required=True, metadata=described("What is unknown, and why."))


class ReadoutQuerySchema(Schema):
    """Which revision to read."""

    revision = fields.Integer(
        validate=validate.Range(1, 2**31 - 1), metadata=described("Of the route; the current one when left out.")
    )


def _check_whole(data: Mapping[str, Any]) -> None:
    missing = {name: ["Missing data for required field."] for name in ("metric", "value") if name not in data}
    if ("request_id" in data) == ("subject" in data):
        missing["request_id"] = ["Name either the request_id or the subject."]
    if missing:
        raise ValidationError(missing)
