"""A fake runner's answers to texts, which tell what was asked: a swapped one shows."""

from typing import Any, Final

import msgspec

from model_store.model_ref import ModelRef
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

TEXTS: Final = "/api/v1/text/classifications"


def result_of(text: str, top_k: int = 5) -> dict[str, Any]:
    """Return what a text is answered: labels that are made of it."""
    labels = [{"index": rank, "label": f"{text[:8]} {rank}", "score": 1.0 / (rank + 1)} for rank in range(top_k)]
    return {"label": labels[0]["label"], "score": 1.0, "labels": labels}


def classified(row: bytes, top_k: int) -> bytes:
    """Answer a row."""
    return msgspec.json.encode(result_of(row.decode(), top_k))


def publish_text_model(worker: WebWorker, **changes: Any) -> ModelRef:
    """Publish a version of `text`, and have the fake runner answer like one."""
    worker.inference.answer = classified
    return worker.publish(**{"name": "text", "manifest": make_manifest(task="text-classification"), **changes})
