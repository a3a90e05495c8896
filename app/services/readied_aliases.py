"""Aliases as requests follow them: one that moved answers with the version before until the new one is READY."""

from collections.abc import Callable
from dataclasses import dataclass

from app.db.repositories.models import VersionFacts
from app.services.catalog import CatalogModel
from model_store.model_ref import ModelRef


def _always(_ref: ModelRef) -> bool:
    return True


def _nobody(_ref: ModelRef) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How to find out whether a version has a READY runner, and how to ask for one. Neither may block."""

    is_ready: Callable[[ModelRef], bool] = _always
    want: Callable[[ModelRef], None] = _nobody


class ReadiedAliases:
    """Remembers, for one process, which version each alias last led to with a runner READY.

    Once the new version was READY the old one never answers again, not even while the new one is being replaced.
    Threads and greenlets may share it: each of its steps is one look-up or one assignment.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._reached: dict[tuple[str, str], int] = {}
        self._awaited: set[ModelRef] = set()

    def answering(self, model: CatalogModel, alias: str) -> VersionFacts:
        """Return the version that answers for an alias of `model`."""
        target, reached = model.aliases[alias], self._reached.get((model.name, alias))
        facts = model.versions[target]
        # Nobody waits for a runner of a version that gets none.
        if target == reached or not facts.is_wanted_online:
            return facts
        if self._readiness.is_ready(facts.ref):
            self._reached[model.name, alias] = target
            return facts

        for number in (reached, model.previous.get(alias)):
            before = model.versions.get(number) if number is not None else None
            if before is not None and before.is_wanted_online and self._readiness.is_ready(before.ref):
                self._awaited.add(facts.ref)
                return before
        return facts

    def want_awaited(self) -> None:
        """Ask for runners of the versions that others answered for since the last time.

        The calls that would have asked for them were answered; without this, one that the memory budget keeps out
        would never come in.
        """
        for _ in range(len(self._awaited)):
            self._readiness.want(self._awaited.pop())
