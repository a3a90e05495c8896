"""Multipart bodies as clients send them, in memory; Werkzeug's test client leaves a temporary file behind."""

from typing import Any

import httpx


def upload(*images: bytes, part: str = "image") -> dict[str, Any]:
    """Return the arguments of a test client's call that send `images`, one part each."""
    files = [(part, (f"{number}.img", image)) for number, image in enumerate(images)]
    request = httpx.Request("POST", "http://galley/", files=files)
    return {"data": request.read(), "content_type": request.headers["Content-Type"]}
