"""Inference requests over HTTP, whole or broken, and what every failure has to look like."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.web.problems import V2_JSON
from tests.factories.tensors import Body

LENGTH = "Inference-Header-Content-Length"
FAILURE_MEMBERS = {"error", "code", "request_id", "retryable"}


@dataclass(frozen=True)
class Asker:
    """Sends requests to a model's infer route."""

    http: httpx.Client

    def __call__(self, model: str, body: Body | bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a body; one that knows how much of it is JSON says so in the header, unless `headers` do."""
        if isinstance(body, bytes):
            body = Body(body)
        told = {} if body.json_bytes is None else {LENGTH: str(body.json_bytes)}
        return self.http.post(f"/v2/models/{model}/infer", content=body.data, headers={**told, **(headers or {})})

    def json(self, model: str, **members: Any) -> httpx.Response:
        """Send a request of JSON alone."""
        return self(model, json.dumps(members).encode())

    def one(self, model: str, **members: Any) -> httpx.Response:
        """Send a request of one input of `sums`, as JSON, with members changed; one that is None is left out."""
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4], **members}
        return self.json(model, inputs=[{key: value for key, value in tensor.items() if value is not None}])


def refusal(answer: httpx.Response, *words: str, status: int = 400) -> dict[str, Any]:
    """Return a failure's body once it looks like all failures of the protocol, and its sentence has these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == V2_JSON
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    failure: dict[str, Any] = answer.json()
    assert set(failure) >= FAILURE_MEMBERS, failure
    assert failure["request_id"] == answer.headers["x-request-id"]
    for word in words:
        assert word in failure["error"], failure
    return failure
