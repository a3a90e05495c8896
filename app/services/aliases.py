"""Aliases: movable names of versions, with the history of every move."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET, UnsetType

from app.db.repositories.aliases import AliasChange, AliasFacts, AliasRepository
from app.db.session import Database, Session
from app.errors import AliasInUse, AliasMoved, AliasNotFound, InvalidFields
from app.services.audit import AuditLog
from app.services.catalog import DEFAULT_ALIAS, CatalogModel, announce, locked_model, no_notice, read_model
from model_store.model_ref import ModelRef, check_alias, is_alias, is_model_name

LONGEST_WHY: Final = 512
LONGEST_CACHE_TTL_S: Final = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class AliasMove:
    """Where an alias is to point: a version by number or by another alias; who says so, and why.

    With `expected` it moves only from that version. `cache_ttl_s` says for how long answers are kept from now on: None
    leaves it to the setting, 0 keeps none, UNSET is what was said before.

    :raises InvalidFields: for a reason that cannot be kept, or a time that is none.
    """

    version: str
    by: str
    why: str = ""
    expected: int | None = None
    cache_ttl_s: int | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        _check_why(self.why)
        if isinstance(self.cache_ttl_s, int) and not 0 <= self.cache_ttl_s <= LONGEST_CACHE_TTL_S:
            raise InvalidFields({"cache_ttl_s": [f"Send seconds, from 0 to {LONGEST_CACHE_TTL_S}."]})


class AliasService:
    """What is done with aliases. Threads and greenlets may share it.

    `notify` is called after each change that was committed; it should publish on CATALOG_CHANNEL.
    """

    def __init__(self, database: Database, *, notify: Callable[[], None] = no_notice) -> None:
        self._database = database
        self._notify = notify

    def set(self, name: str, alias: str, move: AliasMove) -> AliasFacts:
        """Point an alias at a version, and make it if there is none. One that points there already does not move.

        :raises InvalidName: when no version may be called so.
        :raises NotFoundError: when there is no such model or version.
        :raises AliasMoved: when it does not point where it was expected to.
        """
        check_alias(alias)
        with self._database.write() as session:
            model = locked_model(session, name)
            ref = model.resolve(move.version).ref
            if move.expected is not None and model.aliases.get(alias) != move.expected:
                raise AliasMoved(name, alias, model.aliases.get(alias))

            point_alias(session, ref, alias, by=move.by, why=move.why)
            if not isinstance(move.cache_ttl_s, UnsetType):
                _set_cache_ttl(session, name, alias, move.cache_ttl_s, move)
            facts = _existing(session, name, alias)
        announce(self._notify)
        return facts

    def delete(self, name: str, alias: str, *, by: str, why: str = "") -> None:
        """Delete an alias. Its history stays.

        `default` goes only with the last version: without it, callers who name no version would get no answer.

        :raises InvalidFields: for a reason that cannot be kept.
        :raises NotFoundError: when there is no such model or alias.
        :raises AliasInUse: when callers or the model's route depend on it.
        """
        _check_why(why)
        with self._database.write() as session:
            model = locked_model(session, name)
            before = _existing(session, name, alias).version
            _check_unused(model, alias)
            AliasRepository(session).delete(name, alias)
            _record(session, _change(name, alias, before, None, by=by, why=why))
        announce(self._notify)

    def all(self, name: str) -> list[AliasFacts]:
        """Return a model's aliases, by name.

        :raises ModelNotFound: when there is no such model.
        """
        with self._database.snapshot() as session:
            read_model(session, name)
            return AliasRepository(session).all(name)

    def get(self, name: str, alias: str) -> AliasFacts:
        """Return one alias.

        :raises NotFoundError: when there is no such model or alias.
        """
        found = [facts for facts in self.all(name) if facts.alias == alias]
        if not found:
            raise AliasNotFound(name, alias)

        return found[0]

    def history(self, name: str, alias: str, *, offset: int = 0, limit: int | None = None) -> list[AliasChange]:
        """Return the moves of an alias, the newest first; also of one that was deleted."""
        with self._database.read() as session:
            return AliasRepository(session).history(name, alias, offset=offset, limit=limit)

    def count_history(self, name: str, alias: str) -> int:
        """Count the moves of an alias.

        :raises AliasNotFound: when there never was such an alias.
        """
        with self._database.read() as session:
            is_sane = is_model_name(name) and is_alias(alias)
            count = AliasRepository(session).count_history(name, alias) if is_sane else 0
        if not count:
            raise AliasNotFound(name, alias)

        return count


def point_alias(session: Session, ref: ModelRef, alias: str, *, by: str, why: str = "") -> None:
    """Point an alias at a version within a unit of work, with its history; the model should be locked."""
    aliases = AliasRepository(session)
    facts = aliases.find(ref.name, alias)
    if facts is not None and facts.version == ref.version:
        return
    if claim_alias(session, ref, alias, by=by, why=why):
        return

    before = aliases.move(ref, alias, by=by, at=datetime.now(UTC))
    _record(session, _change(ref.name, alias, before, ref.version, by=by, why=why))


def claim_alias(session: Session, ref: ModelRef, alias: str, *, by: str, why: str = "") -> bool:
    """Point an alias at a version unless it points somewhere already, and say whether it does now."""
    is_new = AliasRepository(session).claim(ref, alias, by=by, at=datetime.now(UTC))
    if is_new:
        _record(session, _change(ref.name, alias, None, ref.version, by=by, why=why))
    return is_new


def _set_cache_ttl(session: Session, name: str, alias: str, cache_ttl_s: int | None, move: AliasMove) -> None:
    before = AliasRepository(session).set_cache_ttl(name, alias, cache_ttl_s)
    if before == cache_ttl_s:
        return

    details = {"from": before, "to": cache_ttl_s, "why": move.why}
    target = f"{name}/aliases/{alias}"
    AuditLog.record(session, action="alias.cache_ttl", target=target, by=move.by, details=details)


def _check_why(why: str) -> None:
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise InvalidFields({"why": [f"Send at most {LONGEST_WHY} printable characters."]})


def _change(name: str, alias: str, before: int | None, after: int | None, *, by: str, why: str) -> AliasChange:
    return AliasChange(
        model_name=name, alias=alias, from_version=before, to_version=after, at=datetime.now(UTC), by=by, why=why
    )


def _record(session: Session, change: AliasChange) -> None:
    AliasRepository(session).record(change)
    AuditLog.record(
        session,
        action="alias.delete" if change.to_version is None else "alias.set",
        target=f"{change.model_name}/aliases/{change.alias}",
        by=change.by,
        details={"from": change.from_version, "to": change.to_version, "why": change.why},
    )


def _existing(session: Session, name: str, alias: str) -> AliasFacts:
    facts = AliasRepository(session).find(name, alias) if is_alias(alias) else None
    if facts is None:
        raise AliasNotFound(name, alias)

    return facts


def _check_unused(model: CatalogModel, alias: str) -> None:
    if model.route is not None and alias in model.route.aliases:
        raise AliasInUse(model.name, alias, "the model's route names it")
    if alias == DEFAULT_ALIAS and len(model.versions) > 1:
        raise AliasInUse(model.name, alias, "callers who name no version are answered by it; move it instead")
