"""Multipart bodies as clients send them, in memory; Werkzeug's test client leaves a temporary file behind."""

from typing import Any

import httpx

MANIFEST = b"""{
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 8, 8]}],
    "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}],
    "max_batch_size": 8
}"""


def upload(*images: bytes, part: str = "image") -> dict[str, Any]:
    """Return the arguments of a test client's call that send `images`, one part each."""
    files = [(part, (f"{number}.img", image)) for number, image in enumerate(images)]
    request = httpx.Request("POST", "http://galley/", files=files)
    return {"data": request.read(), "content_type": request.headers["Content-Type"]}


def form_body(parts: list[tuple[str, tuple[str | None, bytes]]]) -> dict[str, Any]:
    """Return the arguments of a test client's call that send a form: name, file name (or None) and bytes per part."""
    request = httpx.Request("POST", "http://galley/", files=parts)
    return {"data": request.read(), "content_type": request.headers["Content-Type"]}


def version_body(
    *more: tuple[str, tuple[str | None, bytes]], manifest: bytes = MANIFEST, artifact: bytes = b"weights"
) -> dict[str, Any]:
    """Return the arguments of a test client's call that publish a version; `more` are further parts."""
    return form_body([("artifact", ("model.pt", artifact)), ("manifest", (None, manifest)), *more])
