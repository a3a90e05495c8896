"""API clients: made, listed, given new secrets, deleted."""

import os
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from app.db.repositories.clients import ClientFacts, ClientRepository, is_client_id
from app.db.repositories.job_owners import JobOwnerRepository
from app.db.session import Database, Session
from app.errors import ClientExists, InvalidFields
from app.infra.clock import Clock
from app.services.audit import AuditLog
from app.services.client_secrets import NewSecret, make_secret
from app.services.revocations import RevocationFeed
from app.services.scopes import ALL_SCOPES, check_scopes
from app.settings import Settings

ADMIN_ID: Final = "admin"
ALL_MODELS: Final = ("*",)
LONGEST_DESCRIPTION: Final = 256
MOST_GLOBS: Final = 64

_GLOB = re.compile(r"[A-Za-z0-9._*?\[\]!-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class ClientDraft:
    """A client to be made. Without an id it gets a random one.

    :raises InvalidFields: for an id, scope, glob or description that no client may have.
    """

    scopes: frozenset[str]
    model_globs: tuple[str, ...] = ALL_MODELS
    client_id: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        check_scopes(self.scopes)
        if self.client_id is not None and not is_client_id(self.client_id):
            raise InvalidFields({"client_id": ["Use 1 to 64 of A-Z a-z 0-9 . _ - , starting with a letter or digit."]})
        if not 1 <= len(self.model_globs) <= MOST_GLOBS or not all(map(_GLOB.fullmatch, self.model_globs)):
            raise InvalidFields({"models": [f"Send 1 to {MOST_GLOBS} model names or globs like 'fraud-*'."]})
        if len(self.description) > LONGEST_DESCRIPTION or not self.description.isprintable():
            raise InvalidFields({"description": [f"Send at most {LONGEST_DESCRIPTION} printable characters."]})


@dataclass(frozen=True, kw_only=True)
class IssuedSecret:
    """A client and its new secret, which nobody can read again."""

    client: ClientFacts
    secret: str


class ClientService:
    """What admins do with clients; `feed` tells the other processes. Threads and greenlets may share it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        feed: RevocationFeed | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._grace = timedelta(seconds=settings.secret_grace_s)
        self._database = database
        self._clock = clock or Clock()
        self._feed = feed or RevocationFeed(None, remember_s=settings.token_lifetime_s, clock=self._clock)

    def create(self, draft: ClientDraft, *, by: str) -> IssuedSecret:
        """Make a client and its first secret.

        :raises ClientExists: when the id is taken.
        """
        facts, secret = self._facts(draft, by), make_secret()
        with self._database.write() as session:
            return _add(session, facts, secret)

    def page(self, *, offset: int = 0, limit: int | None = None) -> list[ClientFacts]:
        """Return clients by id, from `offset` on."""
        with self._database.read() as session:
            return ClientRepository(session).page(offset=offset, limit=limit)

    def get(self, client_id: str) -> ClientFacts:
        """Return one client.

        :raises ClientNotFound: when there is none of that id.
        """
        with self._database.read() as session:
            return ClientRepository(session).get(client_id)

    def count(self) -> int:
        """Count all clients."""
        with self._database.read() as session:
            return ClientRepository(session).count()

    def rotate(self, client_id: str, *, by: str) -> IssuedSecret:
        """Give a client a new secret; those it has stay valid for the grace period.

        :raises ClientNotFound: when there is none of that id.
        """
        secret = make_secret()
        now = self._clock.utcnow()
        with self._database.write() as session:
            clients = ClientRepository(session)
            facts = clients.get(client_id)
            clients.expire_secrets(client_id, now + self._grace)
            clients.add_secret(client_id, hint=secret.hint, digest=secret.digest, created_at=now)
            _record(session, "client.rotate", client_id, by, grace_s=self._grace.total_seconds())
        return IssuedSecret(client=facts, secret=secret.plain)

    def delete(self, client_id: str, *, by: str) -> None:
        """Delete a client. Its secrets and its tokens are refused from now on; its open jobs are cancelled.

        :raises ClientNotFound: when there is none of that id.
        """
        with self._database.write() as session:
            ClientRepository(session).delete(client_id)
            JobOwnerRepository(session).disown(client_id, self._clock.utcnow())
            _record(session, "client.delete", client_id, by)
        self._feed.tell_client(client_id)

    def create_admin(self, *, by: str) -> IssuedSecret:
        """Make a client with all scopes, called `admin` if that id is free, else `admin-` and six digits."""
        with self._database.read() as session:
            taken = {facts.client_id for facts in ClientRepository(session).page()}
        client_id = ADMIN_ID if ADMIN_ID not in taken else f"{ADMIN_ID}-{secrets.token_hex(3)}"
        return self.create(_admin(client_id), by=by)

    def ensure_first_admin(self, path: Path) -> bool:
        """On a database without clients, make the client `admin` and write its secret to `path` (mode 0600).

        The file is written before the client is committed: a crash between the two leaves a file that the next
        start replaces, never a client whose secret nobody has.

        :returns: whether a client was made; not if another process was faster.
        """
        facts, secret = self._facts(_admin(ADMIN_ID), by="first start"), make_secret()
        try:
            with self._database.write() as session:
                if ClientRepository(session).count():
                    return False

                write_credentials(path, _add(session, facts, secret))
        except ClientExists:
            return False

        return True

    def purge_expired(self) -> int:
        """Delete secrets and revocations whose time is over, and say how many."""
        with self._database.write() as session:
            return ClientRepository(session).purge_expired(self._clock.utcnow())

    def _facts(self, draft: ClientDraft, by: str) -> ClientFacts:
        return ClientFacts(
            client_id=draft.client_id or f"client-{secrets.token_hex(6)}",
            description=draft.description,
            scopes=draft.scopes,
            model_globs=draft.model_globs,
            created_at=self._clock.utcnow(),
            created_by=by,
        )


def write_credentials(path: Path, issued: IssuedSecret) -> None:
    """Write id and secret as lines a shell can source, readable by the owner only, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f"{path.name}.new")
    staged.unlink(missing_ok=True)
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"GALLEY_CLIENT_ID={issued.client.client_id}\nGALLEY_CLIENT_SECRET={issued.secret}\n")
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)


def _add(session: Session, facts: ClientFacts, secret: NewSecret) -> IssuedSecret:
    clients = ClientRepository(session)
    clients.add(facts)
    clients.add_secret(facts.client_id, hint=secret.hint, digest=secret.digest, created_at=facts.created_at)
    rights = {"scopes": sorted(facts.scopes), "models": list(facts.model_globs)}
    _record(session, "client.create", facts.client_id, facts.created_by, **rights)
    return IssuedSecret(client=facts, secret=secret.plain)


def _record(session: Session, action: str, client_id: str, by: str, **details: Any) -> None:
    AuditLog.record(session, action=action, target=f"clients/{client_id}", by=by, details=details)


def _admin(client_id: str) -> ClientDraft:
    return ClientDraft(client_id=client_id, description="Administrator", scopes=ALL_SCOPES)
