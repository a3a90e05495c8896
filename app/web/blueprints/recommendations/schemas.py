"""What recommendations read from the query, and how their answers are described."""

from marshmallow import Schema, fields

from app.web.schemas import AnsweringModelSchema, RowErrorSchema, described, model_field, version_field


class RecommendationQuery(Schema):
    """Which model is to recommend."""

    model = model_field("the one that recommends", example="recommender")
    version = version_field()


class ItemSchema(Schema):
    """One item for a user."""

    item_id = fields.Integer(required=True, metadata=described("The item.", format="int64", example=318))
    score = fields.Float(required=True, metadata=described("How well it suits; only their order has a meaning."))
    title = fields.String(metadata=described("Its title, where the model's version has titles."))


class UserResultSchema(Schema):
    """The items for one user, or why there are none."""

    user_id = fields.Integer(metadata=described("The user that was asked for.", format="int64", example=4711))
    items = fields.List(fields.Nested(ItemSchema), metadata=described("Best first."))
    cold_start = fields.Boolean(metadata=described("Whether the model does not know the user: then these are popular."))
    error = fields.Nested(RowErrorSchema, metadata=described("In place of items, for one among several."))


class RecommendationSchema(UserResultSchema):
    """The items for the one user asked for, or a result for each of several; and what answered."""

    class Meta:
        """Leave out what only one of several has."""

        exclude = ("error",)

    results = fields.List(
        fields.Nested(UserResultSchema), metadata=described("Of several users, in the order sent; instead of all else.")
    )
    model = fields.Nested(AnsweringModelSchema, required=True)
