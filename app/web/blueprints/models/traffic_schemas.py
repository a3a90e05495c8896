"""Fields of routes, with examples."""

from typing import Final

from marshmallow import Schema, fields, validate

from app.services.allocation import BUCKETS, LONGEST_SUBJECT
from app.services.route_draft import LARGEST_WEIGHT, LONGEST_SALT, MOST_OVERRIDES, MOST_VARIANTS
from app.services.route_table import Why
from app.web.blueprints.models.version_field import VersionField
from app.web.fields import Number, ShortList
from app.web.schemas import described

_ROUTE: Final = {
    "variants": [
        {"name": "control", "version": 1, "weight": 90.0},
        {"name": "candidate", "version": 2, "weight": 10.0},
    ],
    "sticky_by": "subject",
    "salt": "spring-trial",
    "overrides": [{"client": "load-test", "variant": "control"}, {"subject": "user-4711", "variant": "candidate"}],
}
DRAFT_EXAMPLE: Final = _ROUTE
ROUTE_EXAMPLE: Final = {
    **_ROUTE,
    "shares": {"control": 0.9, "candidate": 0.1},
    "revision": 3,
    "updated_at": "2026-01-31T12:00:00+00:00",
    "updated_by": "release-bot",
}
EXPLANATION_EXAMPLE: Final = {
    "variant": "candidate",
    "version": 2,
    "why": "bucket",
    "detail": "Subject 'user-1' is in bucket 9531 of 10000, which variant 'candidate' has.",
    "subject": "user-1",
    "client": "checkout",
    "bucket": 9531,
    "revision": 3,
}


class VariantSchema(Schema):
    """One branch of a route."""

    name = fields.String(required=True, metadata=described("1 to 64 of A-Z a-z 0-9 . _ - ; stands in X-Variant."))
    version = VersionField(required=True, metadata=described("Number of the version that answers, or an alias."))
    weight = Number(
        required=True,
        allow_nan=True,
        metadata=described("Relative to the others' sum; 0 for nobody.", minimum=0, maximum=LARGEST_WEIGHT),
    )


class OverrideSchema(Schema):
    """A client or a subject that gets a variant whatever its bucket says. One of a subject beats one of a client."""

    client = fields.String(metadata=described("A client's id.", maxLength=LONGEST_SUBJECT))
    subject = fields.String(metadata=described("A subject.", maxLength=LONGEST_SUBJECT))
    variant = fields.String(required=True, metadata=described("The name of one of the variants."))


class RouteDraftSchema(Schema):
    """How a model's traffic is to split."""

    variants = ShortList(fields.Nested(VariantSchema), most=MOST_VARIANTS, required=True)
    sticky_by = fields.String(
        load_default="subject",
        validate=validate.OneOf(["subject"]),
        metadata=described("Who keeps its variant: the subject, which is the client where nobody is named."),
    )
    salt = fields.String(
        load_default=None,
        allow_none=True,
        metadata=described(
            "Shuffles subjects into buckets. Left out, the route keeps its own, and weights move as few callers as"
            " can be; another one deals all anew.",
            maxLength=LONGEST_SALT,
        ),
    )
    overrides = ShortList(fields.Nested(OverrideSchema), most=MOST_OVERRIDES, least=0, load_default=list)


class RouteSchema(RouteDraftSchema):
    """A model's route as it stands."""

    salt = fields.String(required=True, metadata=described("Shuffles subjects into buckets."))
    shares = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        required=True,
        metadata=described(f"Which part of the {BUCKETS} buckets each variant has."),
    )
    revision = fields.Integer(required=True, metadata=described("Rises with each change; never given twice."))
    updated_at = fields.AwareDateTime(required=True)
    updated_by = fields.String(required=True)


class ExplainQuery(Schema):
    """Whose variant is to be explained."""

    subject = fields.String(
        load_default="",
        validate=validate.Length(max=LONGEST_SUBJECT),
        metadata=described("What a request names in X-Subject; by default the client."),
    )
    client = fields.String(
        load_default=None,
        validate=validate.Length(max=LONGEST_SUBJECT),
        metadata=described("The id of the client that sends it; by default the one that asks."),
    )


class ExplanationSchema(Schema):
    """Which variant somebody gets, and why."""

    variant = fields.String(required=True)
    version = fields.Integer(required=True, metadata=described("The version that the variant leads to."))
    why = fields.String(
        required=True,
        metadata=described("What decided.", enum=[Why.BUCKET, Why.SUBJECT, Why.CLIENT]),
    )
    detail = fields.String(required=True, metadata=described("The same, in a sentence."))
    subject = fields.String(required=True)
    client = fields.String(required=True)
    bucket = fields.Integer(required=True, metadata=described("The bucket of the subject, whether it decided or not."))
    revision = fields.Integer(required=True, metadata=described("Of the route."))
