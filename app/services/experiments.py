"""The readout of a model's experiments: what Redis counted and SQL recorded, put together."""

from app.db.repositories.aliases import AliasRepository
from app.db.repositories.outcomes import OutcomeRepository
from app.db.repositories.routes import RouteFacts
from app.db.session import Database, Session
from app.errors import RedisUnavailable, RouteNotFound
from app.services.experiment_readout import Evidence, Readout, read_out
from app.services.experiment_store import ExperimentCounts, ExperimentStore
from app.services.route_table import RouteTable
from app.services.routing import Router


class ExperimentService:
    """Reads experiments. Holds no state of its own; safe to share between greenlets."""

    def __init__(self, database: Database, store: ExperimentStore, router: Router) -> None:
        self._database = database
        self._store = store
        self._router = router

    def readout(self, model_name: str, revision: int | None = None) -> Readout:
        """Return how the variants of a revision do, by default of the current one.

        Without Redis the readout has the outcomes, and says what it lacks.

        :raises ModelNotFound: when there is no such model.
        :raises RouteNotFound: when no revision is named and the model has no route.
        """
        route = self._router.model(model_name).route
        if revision is None:
            if route is None:
                raise RouteNotFound(model_name)
            revision = route.revision
        current = route if route is not None and route.revision == revision else None
        counts = self._counts(model_name, revision)
        with self._database.read() as session:
            sums = OutcomeRepository(session).sums(model_name, revision)
            moved = _moved_aliases(session, current) if current else []
        return read_out(
            Evidence(
                model_name=model_name,
                revision=revision,
                is_current=current is not None,
                versions={one["name"]: one["version"] for one in current.document["variants"]} if current else {},
                shares=RouteTable(current).shares() if current else counts.shares if counts else None,
                counts=counts,
                sums=sums,
                moved_aliases=moved,
                has_overrides=bool(current and current.document["overrides"]),
            )
        )

    def _counts(self, model_name: str, revision: int) -> ExperimentCounts | None:
        try:
            return self._store.counts(model_name, revision)
        except RedisUnavailable:
            return None


def _moved_aliases(session: Session, route: RouteFacts) -> list[str]:
    """Return the aliases that variants of a route follow and that moved since it was put."""
    aliases = AliasRepository(session).all(route.model_name)
    return [facts.alias for facts in aliases if facts.alias in route.aliases and facts.updated_at > route.updated_at]
