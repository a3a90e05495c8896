"""How image classifications look in the OpenAPI document, where decorators cannot say it."""

from typing import Any

_BINARY = {"type": "string", "format": "binary"}

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "array", "items": _BINARY, "minItems": 1, "maxItems": 32}},
            },
        },
        "image/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
    },
}

EXAMPLE: dict[str, Any] = {
    "results": [
        {
            "labels": [
                {"index": 7, "label": "7", "score": 0.9871},
                {"index": 1, "label": "1", "score": 0.0068},
            ],
            "width": 64,
            "height": 64,
        },
        {"error": {"code": "unreadable_image", "detail": "The image could not be decoded: it is truncated."}},
    ],
    "model": {"name": "digits", "version": 1, "variant": None},
}
