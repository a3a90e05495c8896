"""Routes: how a model's traffic splits, changed as a whole and explained caller by caller."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.db.repositories.routes import RouteFacts, RouteRepository
from app.db.session import Database, Session
from app.errors import RouteNotFound
from app.services.allocation import Deal, deal, moved
from app.services.audit import AuditLog
from app.services.catalog import CatalogModel, announce, locked_model, no_notice, read_model
from app.services.route_draft import RouteDraft
from app.services.route_table import Choice, RouteTable


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Which variant a caller gets, the version behind it, what decided, and in which revision of the route."""

    choice: Choice
    version: int
    subject: str
    client_id: str
    bucket: int
    revision: int


class RouteService:
    """What is done with routes. Threads and greenlets may share it.

    `notify` is called after each change that was committed; it should publish on CATALOG_CHANNEL.
    """

    def __init__(self, database: Database, *, notify: Callable[[], None] = no_notice) -> None:
        self._database = database
        self._notify = notify

    def get(self, name: str) -> RouteFacts:
        """Return a model's route.

        :raises ModelNotFound: when there is no such model.
        :raises RouteNotFound: when it has none.
        """
        return _route_of(self._read(name))

    def put(self, name: str, draft: RouteDraft, *, by: str) -> RouteFacts:
        """Give a model a route, whichever it had; the same route again changes nothing.

        With the salt it had, as few callers as can be change their variant; with another one all are dealt anew.

        :raises ModelNotFound: when there is no such model.
        :raises InvalidFields: when a variant leads nowhere.
        """
        with self._database.write() as session:
            model = locked_model(session, name)
            draft.check_versions(model)
            facts = _changed(session, model, draft, by)
            if model.route is not None and facts.document == model.route.document:
                return model.route

            RouteRepository(session).put(facts)
            _record(session, "route.set", facts, model.route)
        announce(self._notify)
        return facts

    def delete(self, name: str, *, by: str) -> None:
        """Take a model's route away: alias `default` answers all its callers again.

        :raises ModelNotFound: when there is no such model.
        :raises RouteNotFound: when it has none.
        """
        with self._database.write() as session:
            before = _route_of(locked_model(session, name))
            revision = RouteRepository(session).next_revision(name)
            facts = replace(before, revision=revision, updated_at=datetime.now(UTC), updated_by=by)
            RouteRepository(session).delete(facts)
            _record(session, "route.delete", facts, before)
        announce(self._notify)

    def explain(self, name: str, *, subject: str, client_id: str) -> Explanation:
        """Say which variant a caller gets, and why. Without a subject the client is the subject.

        :raises ModelNotFound: when there is no such model.
        :raises RouteNotFound: when it has no route.
        """
        model = self._read(name)
        table = RouteTable(_route_of(model))
        subject = subject or client_id
        choice = table.choose(subject, client_id)
        return Explanation(
            choice=choice,
            version=model.resolve(choice.version).ref.version,
            subject=subject,
            client_id=client_id,
            bucket=table.bucket(subject),
            revision=table.revision,
        )

    def _read(self, name: str) -> CatalogModel:
        with self._database.snapshot() as session:
            return read_model(session, name)


def _route_of(model: CatalogModel) -> RouteFacts:
    if model.route is None:
        raise RouteNotFound(model.name)

    return model.route


def _changed(session: Session, model: CatalogModel, draft: RouteDraft, by: str) -> RouteFacts:
    before = model.route
    old_salt = before.document["salt"] if before else None
    salt = draft.salt or old_salt or secrets.token_hex(8)
    kept = _dealt(before) if before is not None and salt == old_salt else ()
    return RouteFacts(
        model_name=model.name,
        revision=RouteRepository(session).next_revision(model.name),
        document=draft.document(salt),
        buckets=[list(run) for run in deal(draft.weights, kept)],
        updated_at=datetime.now(UTC),
        updated_by=by,
    )


def _dealt(facts: RouteFacts) -> Deal:
    return tuple((name, count) for name, count in facts.buckets)


def _record(session: Session, action: str, facts: RouteFacts, before: RouteFacts | None) -> None:
    """Record a change with the route as it is now, and as it was: what is replaced is kept nowhere else."""
    details: dict[str, Any] = {"revision": facts.revision, "before": before.document if before else None}
    if action == "route.set":
        details["route"] = facts.document
    if before is not None and before.document["salt"] == facts.document["salt"]:
        details["moved_buckets"] = moved(_dealt(before), _dealt(facts))
    AuditLog.record(session, action=action, target=f"{facts.model_name}/route", by=facts.updated_by, details=details)
