"""Routes as SQL keeps them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.db.repositories.routes import RouteFacts
from app.services.allocation import deal


def make_route(
    versions: Mapping[str, int | str],
    *,
    weights: Mapping[str, float] | None = None,
    overrides: Sequence[Mapping[str, str]] = (),
    **changes: Any,
) -> RouteFacts:
    """Return a route whose variants, by name, lead to these versions; each weighs the same unless told."""
    weights = weights or dict.fromkeys(versions, 1.0)
    variants = [{"name": name, "version": version, "weight": weights[name]} for name, version in versions.items()]
    fields: dict[str, Any] = {
        "model_name": "tiny",
        "revision": 1,
        "document": {"variants": variants, "sticky_by": "subject", "salt": "salt", "overrides": list(overrides)},
        "buckets": [list(run) for run in deal(weights)],
        "updated_at": datetime(2026, 1, 2, tzinfo=UTC),
        "updated_by": "test",
    }
    return RouteFacts(**{**fields, **changes})
