"""Which version answers: from a model, a version or alias, and a caller to one immutable version."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.db.repositories.models import VersionFacts
from app.errors import GalleyError, ModelNotFound, ModelUnloaded, VersionNotFound
from app.services.catalog import DEFAULT_ALIAS, Catalog, CatalogModel
from app.services.readied_aliases import ReadiedAliases, Readiness
from app.services.route_table import RouteTable, Why
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

LONGEST_VERSION = 64
# Without Redis a change is seen when the catalogue is next read, and it must be within a second.
REREAD_S = 0.5
# With Redis a change is told at once; one is missed only if whoever made it could not tell.
TOLD_REREAD_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The version that answers, and how it was chosen: the variant and the revision only if a route did."""

    ref: ModelRef
    facts: VersionFacts
    variant: str | None = None
    revision: int | None = None
    why: Why = Why.ASKED
    cache_ttl_s: int | None = None
    """How long answers are kept, by the alias that led here; None where none did, or it leaves that to the setting."""

    @property
    def is_dealt(self) -> bool:
        """Whether chance decided, and neither the caller nor an override: only such requests compare variants."""
        return self.why is Why.BUCKET


@dataclass(frozen=True)
class _Published:
    """One state of all models and routes. It is replaced whole: no request sees half of a change."""

    catalog: Catalog
    tables: dict[str, RouteTable]


class Router:
    """Keeps the newest catalogue in memory, and the last known one while SQL is away.

    A thread of its own reloads it when `wake` is called and each `every_s` seconds: no request waits for SQL.
    Safe to share between threads or greenlets. `readiness` tells which versions have a runner: without it all do.
    """

    def __init__(
        self, load: Callable[[], Catalog], *, readiness: Readiness | None = None, every_s: float = REREAD_S
    ) -> None:
        self._load = load
        self._every_s = every_s
        self._is_told: Callable[[], bool] = lambda: False
        self._read_at = float("-inf")
        self._published: _Published | None = None
        self._aliases = ReadiedAliases(readiness or Readiness())
        self._wake = threading.Event()
        self._is_stopping = False
        self._has_warned = False
        self._thread = threading.Thread(target=self._follow, name="catalog", daemon=True)

    @property
    def catalog(self) -> Catalog:
        """The newest catalogue.

        :raises DatabaseUnavailable: when SQL is away and none was ever read.
        """
        return self._published.catalog if self._published is not None else self.refresh()

    def refresh(self) -> Catalog:
        """Read the catalogue now.

        :raises DatabaseUnavailable: when SQL is away.
        """
        catalog = self._load()
        if self._published is None or catalog != self._published.catalog:
            tables = {name: RouteTable(model.route) for name, model in catalog.items() if model.route is not None}
            self._published = _Published(catalog, tables)
        return catalog

    def model(self, name: str) -> CatalogModel:
        """Return a model's aliases and versions.

        :raises ModelNotFound: when there is none of that name.
        """
        return _model(self.catalog, name)

    def find(self, model_name: str, version: str | None = None) -> VersionFacts:
        """Return the version that a number or an alias means, whether it can answer now or not.

        :raises ModelNotFound: when there is no such model.
        :raises VersionNotFound: when it has no such version or alias.
        """
        return _find(self.model(model_name), version)

    def resolve(
        self, model_name: str, version: str | None = None, *, subject: str = "", client_id: str = ""
    ) -> Resolved:
        """Return the version that answers a caller.

        A number or an alias as `version` says it. Else the model's route chooses by subject, which is the client
        when nobody is named; without a route it is the alias `default`. An alias that moved answers with the
        version before, while that one has a runner and the new one has none yet.

        :raises ModelNotFound: when there is no such model.
        :raises VersionNotFound: when it has no such version or alias.
        :raises ModelUnloaded: when somebody unloaded the version.
        """
        resolved = self.choose(model_name, version, subject=subject, client_id=client_id)
        if resolved.facts.is_unloaded:
            raise ModelUnloaded(model_name, resolved.ref.version)

        return resolved

    def choose(
        self, model_name: str, version: str | None = None, *, subject: str = "", client_id: str = ""
    ) -> Resolved:
        """Return what `resolve` does, also a version that was unloaded and answers nobody.

        :raises ModelNotFound: when there is no such model.
        :raises VersionNotFound: when it has no such version or alias.
        """
        published = self._published or self._first()
        model = _model(published.catalog, model_name)
        table = None if version else published.tables.get(model_name)
        if table is None:
            named = version or DEFAULT_ALIAS
            facts = self._answering(model, named)
            why = Why.ASKED if version else Why.DEFAULT
            return Resolved(ref=facts.ref, facts=facts, why=why, cache_ttl_s=model.cache_ttls.get(named))

        choice = table.choose(subject or client_id, client_id)
        facts = self._answering(model, choice.version)
        return Resolved(
            ref=facts.ref,
            facts=facts,
            variant=choice.variant,
            revision=table.revision,
            why=choice.why,
            cache_ttl_s=model.cache_ttls.get(choice.version),
        )

    def wake(self, _message: bytes = b"") -> None:
        """Reload soon: something was published, aliased, routed or pinned."""
        self._wake.set()

    def trust(self, is_told: Callable[[], bool]) -> None:
        """Read SQL each TOLD_REREAD_S only, while `is_told` says that `wake` is called at each change."""
        self._is_told = is_told

    def start(self) -> None:
        """Begin to follow SQL."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and wait until the thread has ended."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()

    def _first(self) -> _Published:
        self.refresh()
        assert self._published is not None
        return self._published

    def _answering(self, model: CatalogModel, version: str) -> VersionFacts:
        return self._aliases.answering(model, version) if version in model.aliases else _find(model, version)

    def _follow(self) -> None:
        is_woken = True
        while not self._is_stopping:
            self._wake.clear()
            if is_woken or not self._is_told() or time.monotonic() - self._read_at >= TOLD_REREAD_S:
                self._reload()
            self._aliases.want_awaited()
            is_woken = self._wake.wait(self._every_s)

    def _reload(self) -> None:
        self._read_at = time.monotonic()
        try:
            self.refresh()
        except GalleyError as err:
            if not self._has_warned:
                logger.warning("the catalogue cannot be read, the last known one stays: %s", err.detail)
            self._has_warned = True
        else:
            self._has_warned = False


def _model(catalog: Catalog, name: str) -> CatalogModel:
    if name not in catalog:
        raise ModelNotFound(name)

    return catalog[name]


def _find(model: CatalogModel, version: str | None) -> VersionFacts:
    if version and len(version) > LONGEST_VERSION:
        raise VersionNotFound(model.name, f"{version[:LONGEST_VERSION]}…")

    return model.resolve(version)
