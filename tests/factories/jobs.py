"""Jobs over rows as plain values, which nobody posted."""

from datetime import UTC, datetime
from typing import Any

from app.db.repositories.jobs import JobFacts, JobState


def make_job(**changes: Any) -> JobFacts:
    """Return a job that was planned and runs, with `changes` made."""
    fields: dict[str, Any] = {
        "id": "job-1",
        "kind": "recommendations",
        "state": JobState.RUNNING,
        "client_id": "checkout",
        "model_name": "recommender",
        "version": 1,
        "parameters": {},
        "queue": "batch",
        "created_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
    }
    return JobFacts(**{**fields, **changes})
