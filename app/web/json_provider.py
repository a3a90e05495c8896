"""JSON by orjson: fast, and strict in what it reads (no NaN, no numbers beyond floats, no lone surrogates)."""

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """Flask's JSON, written and read by orjson. Formatting options of other providers are not taken."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Write `obj` as compact JSON."""
        return orjson.dumps(obj, default=str).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Read JSON text.

        :raises ValueError: when it is not strict JSON.
        """
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with JSON bytes, without a detour over text."""
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), default=str)
        return Response(body, mimetype="application/json")
