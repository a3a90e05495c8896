"""Assignments for tests, and how long they are kept."""

from typing import Any

from app.services.assignment_batches import Assignment, Ending, Keeping

KEEPING = Keeping(counts_s=1000, assignments_s=500, assignments=100_000)


def make_assignment(number: int = 0, **changes: Any) -> Assignment:
    """Return an answered request of the subject of that number, with `changes` made."""
    fields: dict[str, Any] = {
        "model_name": "digits",
        "revision": 3,
        "variant": "control",
        "version": 1,
        "subject": f"user-{number}",
        "request_id": f"request-{number}",
        "ending": Ending.ANSWERED,
        "seconds": 0.01,
    }
    return Assignment(**{**fields, **changes})
