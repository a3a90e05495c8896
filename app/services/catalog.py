"""The catalogue: all models with their versions, aliases and routes, as SQL had them at one moment."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from app.db.repositories.aliases import AliasFacts, AliasRepository
from app.db.repositories.models import ModelRepository, VersionFacts
from app.db.repositories.routes import RouteFacts, RouteRepository
from app.db.session import Session
from app.errors import ModelNotFound, RedisUnavailable, VersionNotFound
from app.infra.log_context import current_request_id, current_traceparent, request_fields
from model_store.model_ref import ModelRef, is_model_name

logger = logging.getLogger(__name__)

DEFAULT_ALIAS = "default"
CATALOG_CHANNEL = "galley:catalog:changed"
"""Where `change_notice` is published after each change that was committed."""
# As versions are written: `02` is none. No alias looks like one.
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, kw_only=True)
class DesiredVersion:
    """A version that should have runners, and the digest its manifest must have; these two tell versions apart."""

    ref: ModelRef
    digest: str
    instances: int = field(default=1, compare=False)
    is_pinned: bool = field(default=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """All versions of one model, and what points at them."""

    name: str
    aliases: dict[str, int]
    versions: dict[int, VersionFacts]
    previous: dict[str, int] = field(default_factory=dict)
    """By alias, the version it pointed at before."""
    cache_ttls: dict[str, int] = field(default_factory=dict)
    """By alias, for how many seconds answers are kept; of aliases that leave it to the setting, nothing."""
    route: RouteFacts | None = None

    @property
    def named(self) -> set[int]:
        """The versions that an alias or the route names."""
        return {*self.aliases.values(), *(self.route.versions if self.route else ())}

    def resolve(self, version: str | None = None) -> VersionFacts:
        """Return the version that a number or an alias means; None means the alias `default`.

        :raises VersionNotFound: when there is none.
        """
        wanted = version or DEFAULT_ALIAS
        number = int(wanted) if _NUMBER.fullmatch(wanted) else self.aliases.get(wanted)
        facts = self.versions.get(number) if number is not None else None
        if facts is None:
            raise VersionNotFound(self.name, wanted)

        return facts


Catalog = dict[str, CatalogModel]


def read_catalog(session: Session) -> Catalog:
    """Read the catalogue. The session should be a snapshot, so that nothing is half of a change."""
    routes = {route.model_name: route for route in RouteRepository(session).all()}
    catalog: Catalog = {}
    for facts in ModelRepository(session).versions():
        name = facts.ref.name
        if name not in catalog:
            catalog[name] = CatalogModel(name=name, aliases={}, versions={}, route=routes.get(name))
        catalog[name].versions[facts.ref.version] = facts
    for alias in AliasRepository(session).all():
        _add_alias(catalog[alias.model_name], alias)
    return catalog


def read_model(session: Session, name: str) -> CatalogModel:
    """Read one model. The session should be a snapshot, or have locked it.

    :raises ModelNotFound: when it has no version.
    """
    versions = ModelRepository(session).versions(name) if is_model_name(name) else []
    if not versions:
        raise ModelNotFound(name)

    route = RouteRepository(session).find(name)
    model = CatalogModel(name=name, aliases={}, versions={facts.ref.version: facts for facts in versions}, route=route)
    for alias in AliasRepository(session).all(name):
        _add_alias(model, alias)
    return model


def locked_model(session: Session, name: str) -> CatalogModel:
    """Read one model, and let nobody else change what points at its versions until the unit of work ends.

    :raises ModelNotFound: when it has no version.
    """
    if is_model_name(name):
        ModelRepository(session).lock(name)
    return read_model(session, name)


def desired_version(facts: VersionFacts) -> DesiredVersion:
    """Return what the controller is to run for a version."""
    return DesiredVersion(ref=facts.ref, digest=facts.digest, instances=facts.instances, is_pinned=facts.is_pinned)


def desired_versions(catalog: Catalog) -> list[DesiredVersion]:
    """Return the versions that should have runners: pinned or named, and neither unloaded nor run by Celery."""
    return [
        desired_version(facts)
        for model in catalog.values()
        for version, facts in model.versions.items()
        if facts.is_wanted_online and (facts.is_pinned or version in model.named)
    ]


def no_notice() -> None:
    """Tell nobody that the catalog changed."""


def announce(notify: Callable[[], None]) -> None:
    """Tell everybody that the catalog changed; without Redis they find out by themselves."""
    try:
        notify()
    except RedisUnavailable as err:
        # What was changed stands; readers of the catalog look again by themselves every second.
        logger.warning("nobody was told that the catalog changed: %s", err.detail)


def change_notice() -> bytes:
    """Return what is published of a change: the request that made it, where one did."""
    return f"{current_request_id()} {current_traceparent()}".encode()


def cause_of(notice: bytes) -> dict[str, str]:
    """Return what log lines tell of the request that made a change; nothing where none did."""
    request_id, _, traceparent = notice.decode("ascii", "replace").partition(" ")
    return request_fields(request_id, traceparent) if request_id else {}


def _add_alias(model: CatalogModel, facts: AliasFacts) -> None:
    model.aliases[facts.alias] = facts.version
    if facts.previous_version is not None:
        model.previous[facts.alias] = facts.previous_version
    if facts.cache_ttl_s is not None:
        model.cache_ttls[facts.alias] = facts.cache_ttl_s
