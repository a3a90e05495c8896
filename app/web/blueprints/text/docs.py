"""How text classifications look in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

from app.scenarios.text import MAX_TEXT_BYTES
from app.scenarios.text_requests import MAX_TEXTS

_TEXT: Final = {"type": "string", "description": f"At most {MAX_TEXT_BYTES} bytes of UTF-8; it may be empty."}
_TEXTS: Final = {
    "type": "array",
    "items": _TEXT,
    "minItems": 1,
    "maxItems": MAX_TEXTS,
    "description": "Several texts at once; each is answered as if alone.",
}
_MODEL: Final = {"name": "text", "version": 1, "variant": None}
_ARRIVAL: Final = {
    "label": "card_arrival",
    "score": 0.9406,
    "labels": [
        {"index": 11, "label": "card_arrival", "score": 0.9406},
        {"index": 12, "label": "card_delivery_estimate", "score": 0.0481},
    ],
}
_FAILED: Final = {"error": {"code": "model_failed", "detail": "The model answered scores that are not numbers."}}

EXAMPLES: Final[dict[str, Any]] = {
    "one": {"summary": "One text", "value": {"results": [_ARRIVAL], "model": _MODEL}},
    "several": {
        "summary": "Several texts, one of which failed",
        "value": {"results": [_ARRIVAL, _FAILED], "model": _MODEL},
    },
}


def _body_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "additionalProperties": False, "properties": {name: schema}}


REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_body_of("text", _TEXT), _body_of("texts", _TEXTS)]},
            "examples": {
                "one": {"summary": "One text", "value": {"text": "When will my new card arrive?"}},
                "several": {
                    "summary": "Several texts",
                    "value": {"texts": ["When will my new card arrive?", "Wo bleibt meine Karte?"]},
                },
            },
        },
    },
}
