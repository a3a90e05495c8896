"""app.web.fields."""

from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields

from app.web.fields import Number, ShortList


class Item(Schema):
    """Counts how many of it are read."""

    name = fields.String(required=True)


class Body(Schema):
    """A body with each field."""

    items = ShortList(fields.Nested(Item), most=3)
    weight = Number(allow_nan=True)


@pytest.mark.parametrize("items", [[], [{}] * 4, [5] * 100_000])
def test_a_list_is_counted_before_it_is_read(items: list[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Body().load({"items": items})

    assert caught.value.messages == {"items": ["Send 1 to 3 items."]}


def test_items_of_a_short_list_are_read() -> None:
    assert Body().load({"items": [{"name": "a"}]}) == {"items": [{"name": "a"}]}
    with pytest.raises(ValidationError) as caught:
        Body().load({"items": [{"name": "a"}, {}]})

    assert caught.value.messages == {"items": {1: {"name": ["Missing data for required field."]}}}


@pytest.mark.parametrize("items", [None, {}, "abc", 5])
def test_what_is_no_list_is_refused(items: Any) -> None:
    with pytest.raises(ValidationError):
        Body().load({"items": items})


@pytest.mark.parametrize("number", [0, -1.5, 1e308, 10**30])
def test_a_number_is_read(number: float) -> None:
    assert Body().load({"weight": number}) == {"weight": float(number)}


@pytest.mark.parametrize("number", ["1", " 2 ", "1_0", "NaN", True, [], 10**400])
def test_what_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(ValidationError):
        Body().load({"weight": number})
