"""Inferences as they come over HTTP, without Flask: as the fast path asks."""

import time
from collections.abc import Mapping
from typing import Any, Final

from app.web.inference import InferenceCall
from app.web.request_context import RequestContext
from tests.factories.web import WebWorker

JSON: Final = {"CONTENT_TYPE": "application/json; charset=utf-8"}


def call_of(worker: WebWorker, environ: Mapping[str, Any] | None = None, **client: Any) -> InferenceCall:
    """Return a call of a new client, with a body that is called JSON unless `environ` says otherwise."""
    identity = worker.services.tokens.verify(worker.token(**client))
    context = RequestContext("request-1", time.monotonic(), 5.0)
    return InferenceCall(worker.services, context, {**JSON, **(environ or {})}, identity)
