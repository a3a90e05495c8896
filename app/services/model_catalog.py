"""What models there are, as their readers see them: catalogue, manifests and runners put together."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock

from cachetools import LRUCache, cached

from app.db.repositories.models import VersionFacts
from app.errors import NotFoundError, StoreError
from app.inference.directory import DirectorySnapshot, RunnerRecord
from app.inference.messages import RunnerState
from app.infra.off_hub import off_hub
from app.services.catalog import DEFAULT_ALIAS, CatalogModel
from app.services.routing import Router
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

UNLOADED = "UNLOADED"
# The state of a version is that of its runner which is furthest along.
STATE_ORDER = (RunnerState.READY, RunnerState.LOADING, RunnerState.DRAINING, RunnerState.FAILED)
MANIFESTS_KEPT = 256
WAS_UNLOADED = "It was unloaded, and answers again once it is loaded."
NO_WORKER = "No Celery worker serves heavy models at present."


@dataclass(frozen=True, kw_only=True)
class VersionView:
    """One version: what SQL knows, what runs it, and how that is."""

    facts: VersionFacts
    state: str
    runners: Sequence[RunnerRecord]
    reason: str = ""
    """Why it does not run: somebody unloaded it, memory is scarce, or it failed. Empty when nothing is amiss."""


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """One model with all its versions, newest first."""

    name: str
    default: int | None
    aliases: dict[str, int]
    versions: Sequence[VersionView]


class ModelCatalog:
    """Reads models and versions. Manifests are immutable, so each is read from the store once."""

    def __init__(
        self,
        router: Router,
        snapshot: Callable[[], DirectorySnapshot],
        manifest: Callable[[ModelRef], Manifest],
        *,
        heavy_slots: Callable[[], int],
    ) -> None:
        self._router = router
        self._snapshot = snapshot
        self._heavy_slots = heavy_slots
        # NOTE: a remote store would not only hold the hub: fsspec's asynchronous file systems cannot be called there.
        self._manifest = cached(LRUCache[str, Manifest](MANIFESTS_KEPT), key=str, lock=Lock())(
            partial(off_hub, manifest)
        )

    def models(self, may_use: Callable[[str], bool]) -> list[ModelView]:
        """Return all models whose name passes `may_use`, by name."""
        return [self._view(model) for name, model in sorted(self._router.catalog.items()) if may_use(name)]

    def model(self, name: str) -> ModelView:
        """Return one model.

        :raises ModelNotFound: when there is none of that name.
        """
        return self._view(self._router.model(name))

    def version(self, name: str, version: str) -> tuple[VersionView, Manifest]:
        """Return one version, named by number or alias, with its manifest.

        :raises NotFoundError: when there is no such model or version.
        :raises StoreUnreachable: when the manifest cannot be read now.
        """
        facts = self._router.find(name, version)
        return self._version_view(facts), self._manifest(facts.ref)

    def manifest(self, ref: ModelRef) -> Manifest:
        """Return the manifest of a version.

        :raises StoreUnreachable: when it cannot be read now.
        """
        return self._manifest(ref)

    def measured_load_s(self, ref: ModelRef) -> float:
        """Return how long verification saw a version load; 0 when nobody measured it, or the store is away."""
        try:
            measured = self._manifest(ref).measured
        except (StoreError, NotFoundError) as err:
            logger.debug("no manifest to estimate the load of %s by: %s", ref, err.detail)
            return 0.0

        return measured.load_s if measured else 0.0

    def _view(self, model: CatalogModel) -> ModelView:
        return ModelView(
            name=model.name,
            default=model.aliases.get(DEFAULT_ALIAS),
            aliases=dict(sorted(model.aliases.items())),
            versions=[self._version_view(facts) for _, facts in sorted(model.versions.items(), reverse=True)],
        )

    def _version_view(self, facts: VersionFacts) -> VersionView:
        return self._heavy_view(facts) if facts.execution == "heavy" else self._online_view(facts)

    def _heavy_view(self, facts: VersionFacts) -> VersionView:
        """Return a version that whichever worker is asked loads for itself."""
        if facts.is_unloaded:
            return VersionView(facts=facts, state=UNLOADED, reason=WAS_UNLOADED, runners=[])
        if not self._heavy_slots():
            return VersionView(facts=facts, state=UNLOADED, reason=NO_WORKER, runners=[])

        return VersionView(facts=facts, state=RunnerState.READY.value, runners=[])

    def _online_view(self, facts: VersionFacts) -> VersionView:
        ref, snapshot = facts.ref, self._snapshot()
        runners = [r for r in snapshot.runners if (r.name, r.version) == (ref.name, ref.version)]
        held_back = [h.reason for h in snapshot.held_back if (h.name, h.version) == (ref.name, ref.version)]
        failed = [r.reason for r in runners if r.state is RunnerState.FAILED]
        reason = next(iter([*held_back, *failed]), "")
        return VersionView(facts=facts, state=_state(runners), reason=reason, runners=runners)


def _state(runners: Sequence[RunnerRecord]) -> str:
    states = {runner.state for runner in runners}
    return next((state.value for state in STATE_ORDER if state in states), UNLOADED)
