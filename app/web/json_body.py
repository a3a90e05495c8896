"""Bodies that scenarios read as JSON: what is checked of them before they are read."""

from collections.abc import Mapping
from typing import Any, Final

from app.errors import EmptyBody, UnsupportedMediaType

_JSON: Final = "application/json"


def check_json(environ: Mapping[str, Any], body: bytes) -> None:
    """Check that there is a body, and that it is called JSON.

    :raises UnsupportedMediaType: when it is called something else, as browsers' forms are.
    :raises EmptyBody: when there is none.
    """
    media_type = environ.get("CONTENT_TYPE", "")
    if media_type != _JSON and media_type.partition(";")[0].strip().lower() != _JSON:
        raise UnsupportedMediaType(media_type, _JSON)
    if not body:
        raise EmptyBody("a JSON object")
