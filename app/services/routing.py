"""Which version answers: model, version number or alias to one immutable version."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from app.db.repositories.models import VersionFacts
from app.errors import GalleyError, ModelNotFound, VersionNotFound
from app.services.catalog import Catalog, CatalogModel
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

LONGEST_VERSION = 64


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The version that answers, the variant that led to it, and what SQL knows of it."""

    ref: ModelRef
    facts: VersionFacts
    variant: str | None = None
    revision: int | None = None
    why: str = ""


class Router:
    """Keeps the newest catalogue in memory, and the last known one while SQL is away.

    A thread of its own reloads it when `wake` is called and each `every_s` seconds: no request waits for SQL.
    Safe to share between threads or greenlets.
    """

    def __init__(self, load: Callable[[], Catalog], *, every_s: float = 1.0) -> None:
        self._load = load
        self._every_s = every_s
        self._catalog: Catalog | None = None
        self._wake = threading.Event()
        self._is_stopping = False
        self._has_warned = False
        self._thread = threading.Thread(target=self._follow, name="catalog", daemon=True)

    @property
    def catalog(self) -> Catalog:
        """The newest catalogue.

        :raises DatabaseUnavailable: when SQL is away and none was ever read.
        """
        return self._catalog if self._catalog is not None else self.refresh()

    def refresh(self) -> Catalog:
        """Read the catalogue now.

        :raises DatabaseUnavailable: when SQL is away.
        """
        self._catalog = self._load()
        return self._catalog

    def model(self, name: str) -> CatalogModel:
        """Return a model's aliases and versions.

        :raises ModelNotFound: when there is none of that name.
        """
        if name not in self.catalog:
            raise ModelNotFound(name)

        return self.catalog[name]

    def resolve(
        self, model_name: str, version: str | None = None, *, subject: str = "", client_id: str = ""
    ) -> Resolved:
        """Return the version that `version`, a number or an alias, names; by default the alias `default`.

        :raises ModelNotFound: when there is no such model.
        :raises VersionNotFound: when it has no such version or alias.
        """
        model = self.model(model_name)
        if version and len(version) > LONGEST_VERSION:
            raise VersionNotFound(model_name, f"{version[:LONGEST_VERSION]}…")

        facts = model.resolve(version)
        return Resolved(ref=facts.ref, facts=facts)

    def wake(self, _message: bytes = b"") -> None:
        """Reload soon: something was published, aliased or pinned."""
        self._wake.set()

    def start(self) -> None:
        """Begin to follow SQL."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and wait until the thread has ended."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            self._reload()
            self._wake.wait(self._every_s)

    def _reload(self) -> None:
        try:
            self.refresh()
        except GalleyError as err:
            if not self._has_warned:
                logger.warning("the catalogue cannot be read, the last known one stays: %s", err.detail)
            self._has_warned = True
        else:
            self._has_warned = False
