"""How fraud scores look in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

from app.scenarios.fraud_events import MAX_AMOUNT, MAX_ID_CHARACTERS, MAX_WORD_CHARACTERS
from app.scenarios.job_fraud import FraudJobs
from app.web.blueprints.jobs.schemas import SUBMITTED_EXAMPLE
from app.web.inference import CACHE_PARAMETER as INFERENCE_CACHE_PARAMETER


def _text(longest: int, description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": description}


_EVENT: Final = {
    "type": "object",
    "required": ["event_id", "account_id", "merchant_id", "amount", "currency", "occurred_at"],
    "additionalProperties": False,
    "properties": {
        "event_id": _text(
            MAX_ID_CHARACTERS, "Names the event within its account: sent again within 24 h, it gets its first answer."
        ),
        "account_id": _text(MAX_ID_CHARACTERS, "Whose past the event is scored beside, and goes into."),
        "merchant_id": _text(MAX_ID_CHARACTERS, "Whom it pays."),
        "amount": {"type": "number", "minimum": 0, "maximum": MAX_AMOUNT, "description": "How much, in `currency`."},
        "currency": {"type": "string", "enum": ["EUR"]},
        "occurred_at": {
            "type": "string",
            "format": "date-time",
            "description": "When, with its zone (RFC 3339): from 2000 until five minutes from now, and at most an hour"
            " before the newest event of its account.",
        },
        "channel": _text(MAX_WORD_CHARACTERS, "How it was paid; models know `online`, `pos` and `atm`."),
        "country": _text(MAX_WORD_CHARACTERS, "Where."),
    },
}
_EXAMPLE: Final = {
    "event": {
        "event_id": "e-20260105-17",
        "account_id": "a-4711",
        "merchant_id": "m-318",
        "amount": 1249.5,
        "currency": "EUR",
        "occurred_at": "2026-01-05T14:03:27.250Z",
        "channel": "online",
        "country": "DE",
    }
}

CACHE_PARAMETER: Final[dict[str, Any]] = {
    **INFERENCE_CACHE_PARAMETER,
    "description": "`only-if-cached` is answered with 504 `not_cached`, as scores are never kept (RFC 9111). Others are"
    " ignored.",
}

REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["event"],
                "additionalProperties": False,
                "properties": {"event": _EVENT},
            },
            "example": _EXAMPLE,
        },
    },
}

ANSWER: Final[dict[str, Any]] = {
    "event_id": "e-20260105-17",
    "score": 0.871204,
    "decision": "decline",
    "reasons": [{"feature": "merchant_risk", "effect": 2.104}, {"feature": "amount", "effect": 1.377}],
    "model": {"name": "fraud", "version": 1, "variant": None},
}

SUBMITTED: Final[dict[str, Any]] = {**SUBMITTED_EXAMPLE, "kind": FraudJobs.name, "model": "fraud"}
