"""Clients for tests."""

from datetime import UTC, datetime
from typing import Any

from app.db.repositories.clients import ClientFacts

NOW = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def make_facts(**changes: Any) -> ClientFacts:
    """Return the facts of a client that may infer, with `changes` made."""
    fields: dict[str, Any] = {
        "client_id": "checkout",
        "description": "The checkout team",
        "scopes": frozenset({"infer"}),
        "model_globs": ("*",),
        "created_at": NOW,
        "created_by": "test",
    }
    return ClientFacts(**{**fields, **changes})
