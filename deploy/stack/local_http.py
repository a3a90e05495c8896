"""The launcher's own calls to the web tier it started."""

import http.client
import json
from typing import Any

from app.settings import Settings

TIMEOUT_S = 5.0


def base_url(settings: Settings) -> str:
    """Return the address to print and to call; a wildcard host is reached by loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def call(settings: Settings, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Send one JSON request and return status and decoded JSON object.

    :raises OSError: when nobody answers, or somebody else does, whose answer is no JSON object.
    """
    connection = http.client.HTTPConnection(base_url(settings).removeprefix("http://"), timeout=TIMEOUT_S)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, _json_object(response.read())
    except (http.client.HTTPException, ValueError) as err:
        raise ConnectionError(f"{method} {path} was not answered: {err}") from err
    finally:
        connection.close()


def _json_object(body: bytes) -> dict[str, Any]:
    """Decode it.

    :raises ValueError: when it is no text, no JSON, or no object.
    """
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")

    return answer
