"""What should run as SQL names it and callers want it: a pure reading of the catalogue and of the calls that waited."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.services.catalog import Catalog, CatalogModel, DesiredVersion, desired_version, desired_versions
from model_store.model_ref import ModelRef


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What should run, at one time."""

    versions: tuple[DesiredVersion, ...] = ()
    """First those that SQL names, then those that only callers want."""
    published: frozenset[ModelRef] = frozenset()
    """All versions there are; what was deleted must not run."""
    unloaded: frozenset[ModelRef] = frozenset()
    """What must not run either: somebody unloaded it."""
    wanted_at: Mapping[ModelRef, float] = field(default_factory=dict)
    """Unix time of the last call that found no runner."""
    stand_ins: Mapping[ModelRef, frozenset[ModelRef]] = field(default_factory=dict)
    """By the version that an alias left: the versions it answers for until they are READY."""
    size_bytes: Mapping[ModelRef, int] = field(default_factory=dict)
    """What a version's files weigh: the first guess at its memory."""

    def allows(self, ref: ModelRef) -> bool:
        """Tell whether a version may run at all."""
        return ref in self.published and ref not in self.unloaded

    def is_same(self, other: "Wishes | None") -> bool:
        """Tell whether nothing has changed, instances and pins included, which do not tell versions apart."""
        return other is not None and self == other and _shape(self) == _shape(other)


def read_wishes(catalog: Catalog, wanted_at: Mapping[ModelRef, float]) -> Wishes:
    """Put together what the catalogue names and what callers want, as far as it exists and is run online."""
    facts = [facts for model in catalog.values() for facts in model.versions.values()]
    wanted = [desired_version(each) for each in facts if each.is_wanted_online and each.ref in wanted_at]
    return Wishes(
        versions=tuple(dict.fromkeys([*desired_versions(catalog), *wanted])),
        published=frozenset(each.ref for each in facts),
        unloaded=frozenset(each.ref for each in facts if each.is_unloaded),
        wanted_at=dict(wanted_at),
        stand_ins=_stand_ins(catalog),
        size_bytes={each.ref: each.size_bytes for each in facts},
    )


def _stand_ins(catalog: Catalog) -> dict[ModelRef, frozenset[ModelRef]]:
    pairs = {pair for model in catalog.values() for pair in _moves(model)}
    return {before: frozenset(now for each, now in pairs if each == before) for before, _ in pairs}


def _moves(model: CatalogModel) -> set[tuple[ModelRef, ModelRef]]:
    """Return where each alias pointed before and where it does now; one that is to be unloaded is not waited for."""
    return {
        (ModelRef(model.name, before), facts.ref)
        for alias, before in model.previous.items()
        if (facts := model.versions.get(model.aliases.get(alias, 0))) is not None
        and facts.is_wanted_online
        and before != facts.ref.version
    }


def _shape(wishes: Wishes) -> list[tuple[int, bool]]:
    return [(version.instances, version.is_pinned) for version in wishes.versions]
