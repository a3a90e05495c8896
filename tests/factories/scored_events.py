"""A fake runner's answers to payments, which tell what was asked, and requests that bring payments."""

import json
from typing import Any, Final

from app.scenarios.fraud_answers import FraudScore, Reason, encode_score
from app.scenarios.fraud_events import decode_event
from model_store.model_ref import ModelRef
from tests.factories.payments import MEMBERS
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

FRAUD: Final = "/api/v1/fraud/scores"


def event_body(**changes: Any) -> bytes:
    """Return the body of a request that brings a payment, changed; None takes a member away."""
    members = {name: value for name, value in {**MEMBERS, **changes}.items() if value is not None}
    return json.dumps({"event": members}).encode()


def scored(row: bytes, _top_k: int = 0) -> bytes:
    """Answer an event with a reason that is called like its account and merchant, and its amount for an effect."""
    event = decode_event(row)
    reason = Reason(f"{event.account_id} at {event.merchant_id}", event.amount)
    return encode_score(FraudScore(0.75, "review", [reason]))


def publish_scoring_model(worker: WebWorker, **changes: Any) -> ModelRef:
    """Publish a version of `fraud`, and have the fake runner answer like one."""
    worker.inference.answer = scored
    return worker.publish(**{"name": "fraud", "manifest": make_manifest(task="sequence-scoring"), **changes})
