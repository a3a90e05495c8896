"""Fields that marshmallow's own are too generous for."""

from typing import Any

from marshmallow import ValidationError, fields


class ShortList(fields.List[Any]):
    """A list of at most `most` items, and of one at least unless `least` says otherwise.

    It is counted before its items are read: with marshmallow's own, a hundred thousand bad items would each be read and
    complained of, which held a web worker for 17 s.
    """

    def __init__(self, inner: Any, *, most: int, least: int = 1, **options: Any) -> None:
        metadata = {"minItems": least, "maxItems": most, **options.pop("metadata", {})}
        super().__init__(inner, metadata=metadata, **options)
        self._least, self._most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and not self._least <= len(value) <= self._most:
            raise ValidationError(f"Send {self._least} to {self._most} items.")

        items: list[Any] = super()._deserialize(value, attr, data, **kwargs)
        return items


class Number(fields.Float):
    """A JSON number; no string and no boolean, which marshmallow's own makes numbers of."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValidationError("Not a valid number.")

        number: float = super()._deserialize(value, attr, data, **kwargs)
        return number
