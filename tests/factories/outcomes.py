"""Outcomes for tests."""

from datetime import UTC, datetime
from typing import Any

from app.db.repositories.outcomes import OutcomeFacts

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def make_outcome(**changes: Any) -> OutcomeFacts:
    """Return a conversion that counts for the variant `control`, with `changes` made."""
    fields: dict[str, Any] = {
        "model_name": "digits",
        "revision": 3,
        "variant": "control",
        "metric": "conversion",
        "unit": "subject:ann",
        "value": 1.0,
        "recorded_at": NOW,
        "recorded_by": "test",
    }
    return OutcomeFacts(**{**fields, **changes})
