"""A version as callers name it: an integer or an alias."""

from typing import Any, Final

from marshmallow import ValidationError, fields

from app.services.routing import LONGEST_VERSION
from model_store.model_ref import MAX_VERSION

_KINDS: Final = [
    {"type": "integer", "minimum": 1, "maximum": MAX_VERSION},
    {"type": "string", "minLength": 1, "maxLength": LONGEST_VERSION},
]


class VersionField(fields.Field[int | str]):
    """Reads a version's number, or the name of an alias; a number written as text is a number."""

    def __init__(self, **options: Any) -> None:
        metadata = {"oneOf": _KINDS, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | str:  # noqa: ARG002
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_VERSION:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_VERSION:
            return value
        if isinstance(value, str) and 1 <= len(value) <= LONGEST_VERSION:
            return value

        raise ValidationError(f"Send a version's number, from 1 to {MAX_VERSION}, or an alias.")
