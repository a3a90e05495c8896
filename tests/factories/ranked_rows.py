"""A fake runner's answers to rankings, which tell what was asked: a swapped one shows."""

import json
from typing import Any

from app.scenarios.recommendations import decode_row
from model_store.model_ref import ModelRef
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

RECOMMENDATIONS = "/api/v1/recommendations"


def ranked(row: bytes, _top_k: int = 0) -> bytes:
    """Answer a row with items that are made of it."""
    asked = decode_row(row)
    return json.dumps(
        {"user_id": asked.user_id, "items": items_of(asked.user_id, asked.k), "cold_start": False}
    ).encode()


def items_of(user_id: int, k: int = 10) -> list[dict[str, Any]]:
    """Return the items that a user gets."""
    return [{"item_id": user_id * 10 + rank, "score": 1.0 / (rank + 1)} for rank in range(k)]


def publish_ranking_model(worker: WebWorker, **changes: Any) -> ModelRef:
    """Publish a version of `recommender`, and have the fake runner answer like one."""
    worker.inference.answer = ranked
    return worker.publish(**{"name": "recommender", "manifest": make_manifest(task="ranking"), **changes})
