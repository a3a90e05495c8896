"""How recommendations look in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

from app.scenarios.recommendations import DEFAULT_K, MAX_EXCLUDED, MAX_K, MAX_USERS

_ID: Final = {"type": "integer", "format": "int64"}
_USER: Final = {**_ID, "description": "Whom to recommend items to. One nobody has heard of gets popular items."}
_USERS: Final = {
    "type": "array",
    "items": _ID,
    "minItems": 1,
    "maxItems": MAX_USERS,
    "uniqueItems": True,
    "description": "Several users at once; each is answered as if alone.",
}
_COUNT: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_K,
    "default": DEFAULT_K,
    "description": "How many items for each user, best first; there may be fewer.",
}
_EXCLUDED: Final = {
    "type": "array",
    "items": _ID,
    "maxItems": MAX_EXCLUDED,
    "uniqueItems": True,
    "description": "Items not to recommend; unknown ones are no error.",
}

ONE_ANSWER: Final[dict[str, Any]] = {
    "user_id": 4711,
    "items": [
        {"item_id": 318, "score": 7.25, "title": "The Long Way Round (1994)"},
        {"item_id": 50, "score": 6.875, "title": "A Quiet Harbour (1995)"},
    ],
    "cold_start": False,
    "model": {"name": "recommender", "version": 1, "variant": None},
}
SEVERAL_ANSWERS: Final[dict[str, Any]] = {
    "results": [
        {"user_id": 4711, "items": [{"item_id": 318, "score": 7.25}], "cold_start": False},
        {"user_id": 99_999, "items": [{"item_id": 296, "score": 3.5}], "cold_start": True},
        {"user_id": 12, "error": {"code": "model_failed", "detail": "The model answered scores that are not numbers."}},
    ],
    "model": {"name": "recommender", "version": 1, "variant": None},
}

EXAMPLES: Final[dict[str, Any]] = {
    "one": {"summary": "One user", "value": ONE_ANSWER},
    "several": {"summary": "Several users: one known, one new, one failed", "value": SEVERAL_ANSWERS},
}


def _body_of(users: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(users),
        "additionalProperties": False,
        "properties": {**users, "k": _COUNT, "exclude": _EXCLUDED},
    }


REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_body_of({"user_id": _USER}), _body_of({"user_ids": _USERS})]},
            "examples": {
                "one": {"summary": "One user", "value": {"user_id": 4711, "k": 2, "exclude": [260, 1196]}},
                "several": {"summary": "Several users", "value": {"user_ids": [4711, 99_999, 12], "k": 1}},
            },
        },
    },
}
