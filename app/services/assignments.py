"""The assignment log: which variant took which request, gathered in memory and written to Redis a moment later."""

from collections import deque
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Histogram

from app.services.assignment_batches import MOST_PER_BATCH, Assignment, Batch, Ending, Keeping, Shares, make_batch
from app.services.experiment_store import ExperimentStore
from app.services.outbox import Outbox
from app.services.route_table import RouteTable
from app.services.routing import Router

MOST_PENDING: Final = 50_000
"""Assignments that wait while Redis is away, about 300 bytes each; what comes then is dropped and counted."""
FLUSH_EVERY_S: Final = 0.25

REQUESTS = Counter(
    "galley_variant_requests",
    "Requests that a variant of a route took, by how they ended.",
    ["model", "variant", "version", "outcome"],
)
SECONDS = Histogram(
    "galley_variant_seconds",
    "How long answered requests took, by the variant of the route.",
    ["model", "variant", "version"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
DROPPED = Counter("galley_assignments_dropped", "Assignments that no experiment counts: Redis was away for too long.")


class AssignmentLog:
    """Takes assignments at once and hands them to Redis on a thread of its own. Greenlets and threads may share it."""

    def __init__(self, store: ExperimentStore, router: Router, keeping: Keeping) -> None:
        self._router = router
        self._keeping = keeping
        self._pending: deque[Assignment] = deque()
        self._outbox = Outbox("assignments", self._next_batch, store.add, every_s=FLUSH_EVERY_S, dropped=DROPPED)

    def note(self, assignment: Assignment) -> None:
        """Count a request. Never waits."""
        requests, seconds = _measures(assignment.model_name, assignment.variant, assignment.version, assignment.ending)
        requests.inc()
        if assignment.ending is Ending.ANSWERED:
            seconds.observe(assignment.seconds)
        if len(self._pending) >= MOST_PENDING:
            DROPPED.inc()
        else:
            self._pending.append(assignment)

    def flush(self) -> bool:
        """Write what waits, and say whether all of it was written; what was not waits on.

        Only one thread may flush at a time: once started, that is the log's own.
        """
        return self._outbox.flush()

    def start(self) -> None:
        """Begin to write every FLUSH_EVERY_S."""
        self._outbox.start()

    def stop(self) -> None:
        """Write what still waits, and end; what Redis does not take now is lost and counted."""
        self._outbox.stop()

    def _next_batch(self) -> Batch | None:
        taken = [self._pending.popleft() for _ in range(min(len(self._pending), MOST_PER_BATCH))]
        return make_batch(taken, self._keeping, shares_of=self._shares) if taken else None

    def _shares(self, model_name: str, revision: int) -> Shares | None:
        model = self._router.catalog.get(model_name)
        if model is None or model.route is None or model.route.revision != revision:
            return None

        return RouteTable(model.route).shares()


# Looking a label up costs more than counting; there are as few of them as there are variants.
@lru_cache(maxsize=1024)
def _measures(model_name: str, variant: str, version: int, ending: Ending) -> tuple[Counter, Histogram]:
    labels = (model_name, variant, str(version))
    return REQUESTS.labels(*labels, ending.value), SECONDS.labels(*labels)
