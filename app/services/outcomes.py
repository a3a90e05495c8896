"""Outcomes: what came of a request or a subject, written down for the variant that answered."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from app.db.repositories.outcomes import OutcomeFacts, OutcomeRepository
from app.db.session import Database
from app.errors import AssignmentNotFound, RedisUnavailable
from app.infra.clock import Clock
from app.services.assignment_batches import request_unit, subject_unit
from app.services.catalog import CatalogModel
from app.services.experiment_store import Assigned, ExperimentStore
from app.services.route_table import RouteTable
from app.services.routing import Router

LARGEST_VALUE: Final = 1e100
"""Squares of values stay within what a double holds, on every database."""
SMALLEST_VALUE: Final = 1e-100
"""What is closer to zero is zero: PostgreSQL takes a square that vanishes for an error."""
PURGED_AT_ONCE: Final = 5000
LOOKS: Final = 3
LOOK_EVERY_S: Final = 0.25
"""As often as web workers add what they answered: an outcome may be faster than the assignment that it needs."""


@dataclass(frozen=True, kw_only=True)
class OutcomeDraft:
    """One reported value. Either `request_id` or `subject` is given; `variant` only where the caller knows it."""

    metric: str
    value: float
    request_id: str | None = None
    subject: str | None = None
    variant: str | None = None

    @property
    def unit(self) -> str:
        """What the value belongs to."""
        return subject_unit(self.subject or "") if self.request_id is None else request_unit(self.request_id)

    @property
    def needs_log(self) -> bool:
        """Whether only the assignment log can tell its variant."""
        return self.request_id is not None and self.variant is None


class OutcomeService:
    """Records outcomes. Holds no state of its own; safe to share between greenlets."""

    def __init__(
        self,
        database: Database,
        store: ExperimentStore,
        router: Router,
        *,
        clock: Clock | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._store = store
        self._router = router
        self._clock = clock or Clock()
        self._pause = pause

    def record(self, model_name: str, drafts: Sequence[OutcomeDraft], *, by: str) -> list[Assigned]:
        """Write all outcomes or none, and return the variant that each counts for.

        The variant is the one named, else the one that answered last as the assignment log knows, else, for a
        subject, the one that the route gives it. A later value of the same metric takes the earlier one's place.

        :raises ModelNotFound: when there is no such model.
        :raises AssignmentNotFound: when no variant is known for one of them.
        :raises RedisUnavailable: when the log is needed and Redis is away.
        """
        model = self._router.model(model_name)
        chooser = _VariantChooser(model, by)
        known = self._known(model, drafts)
        assigned = [chooser.choose(draft, known.get(draft.unit)) for draft in drafts]
        now = self._clock.utcnow()
        facts = [
            OutcomeFacts(
                model_name=model_name,
                revision=one.revision,
                variant=one.variant,
                metric=draft.metric,
                unit=draft.unit,
                value=draft.value if abs(draft.value) >= SMALLEST_VALUE else 0.0,
                recorded_at=now,
                recorded_by=by,
            )
            for draft, one in zip(drafts, assigned, strict=True)
        ]
        with self._database.write() as session:
            OutcomeRepository(session).put(facts)
        return assigned

    def _known(self, model: CatalogModel, drafts: Sequence[OutcomeDraft]) -> dict[str, Assigned]:
        try:
            return self._settled(model, drafts)
        except RedisUnavailable:
            if any(draft.needs_log for draft in drafts):
                raise
            # The route tells the others.
            return {}

    def _settled(self, model: CatalogModel, drafts: Sequence[OutcomeDraft]) -> dict[str, Assigned]:
        """Ask the log, and again for those whose last request may still be on its way there."""
        known: dict[str, Assigned] = {}
        awaited = list(dict.fromkeys(draft.unit for draft in drafts))
        for look in range(LOOKS):
            if look:
                self._pause(LOOK_EVERY_S)
            known |= self._store.find(model.name, awaited)
            awaited = list({draft.unit: None for draft in drafts if _may_come(model, draft, known.get(draft.unit))})
            if not awaited:
                break
        return known


def _may_come(model: CatalogModel, draft: OutcomeDraft, known: Assigned | None) -> bool:
    """Say whether the log may soon say more of a unit than it does: its request, or its subject's next."""
    if model.route is None:
        return False

    return draft.needs_log if known is None else draft.subject is not None and known.revision < model.route.revision


class _VariantChooser:
    """Finds the variants that the outcomes of one post count for."""

    def __init__(self, model: CatalogModel, client_id: str) -> None:
        self._model = model
        self._client_id = client_id

    def choose(self, draft: OutcomeDraft, known: Assigned | None) -> Assigned:
        """Return the variant of one outcome; `known` is what the assignment log says.

        :raises AssignmentNotFound: when there is none.
        """
        if draft.variant is not None:
            return known if known and known.variant == draft.variant else self._named(draft.variant)
        if known is not None:
            return known
        if draft.subject is None:
            raise AssignmentNotFound(
                f"No variant of '{self._model.name}' is known to have answered the request '{draft.request_id}':"
                " no route chose for it, or it is too long ago. Name the subject, or the variant (header X-Variant)."
            )

        return self._dealt(draft.subject)

    def _dealt(self, subject: str) -> Assigned:
        # Not `Router.resolve`: whether a version can answer now is of no importance to what came of it.
        if self._table is None:
            raise AssignmentNotFound(
                f"The model '{self._model.name}' has no route, so no variant answered '{subject}'."
            )

        return Assigned(self._table.revision, self._table.choose(subject, self._client_id).variant)

    def _named(self, variant: str) -> Assigned:
        route = self._model.route
        if route is None:
            raise AssignmentNotFound(f"The model '{self._model.name}' has no route, so it has no variant '{variant}'.")

        names = [one["name"] for one in route.document["variants"]]
        if variant not in names:
            raise AssignmentNotFound(
                f"The route of '{self._model.name}' has no variant '{variant}'; it has {', '.join(names)}."
            )
        return Assigned(route.revision, variant)

    @cached_property
    def _table(self) -> RouteTable | None:
        return RouteTable(self._model.route) if self._model.route is not None else None


def purge_old_outcomes(database: Database, *, before: datetime) -> int:
    """Delete the outcomes recorded before then of revisions that are no longer current, and say how many.

    Many short units of work: whoever else writes waits for one of them at most.
    """
    total = 0
    while True:
        with database.write() as session:
            count = OutcomeRepository(session).purge(before, limit=PURGED_AT_ONCE)
        total += count
        if count < PURGED_AT_ONCE:
            return total
