"""Clients, their secrets and their revoked tokens, as plain values."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables.clients import ClientRow, ClientSecretRow, RevokedTokenRow
from app.errors import ClientExists, ClientNotFound, RevokedToken

_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_client_id(text: str) -> bool:
    """Say whether a client can be called so; no database is asked about anything else."""
    return bool(_CLIENT_ID.fullmatch(text))


@dataclass(frozen=True, kw_only=True)
class ClientFacts:
    """An API caller: what it may do, and on which models (globs of their names)."""

    client_id: str
    description: str
    scopes: frozenset[str]
    model_globs: tuple[str, ...]
    created_at: datetime
    created_by: str


@dataclass(frozen=True, kw_only=True)
class TokenStanding:
    """What SQL knows about a token: since when its client exists (None: it does not), and whether it was revoked."""

    client_since: datetime | None
    is_revoked: bool

    def refuses(self, *, issued_at: float) -> bool:
        """Say whether a token issued then is refused; a client made anew does not inherit its namesake's tokens."""
        return self.is_revoked or self.client_since is None or issued_at < self.client_since.timestamp()


class ClientRepository:
    """Reads and writes clients within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, facts: ClientFacts) -> None:
        """Add a client without secrets.

        :raises ClientExists: when the id is taken.
        """
        self._session.add(
            ClientRow(
                client_id=facts.client_id,
                description=facts.description,
                scopes=sorted(facts.scopes),
                model_globs=list(facts.model_globs),
                created_at=facts.created_at,
                created_by=facts.created_by,
            )
        )
        try:
            self._session.flush()
        except IntegrityError as err:
            raise ClientExists(facts.client_id) from err

    def get(self, client_id: str) -> ClientFacts:
        """Return one client.

        :raises ClientNotFound: when there is none of that id.
        """
        row = self._session.get(ClientRow, client_id) if is_client_id(client_id) else None
        if row is None:
            raise ClientNotFound(client_id)

        return _facts(row)

    def page(self, *, offset: int = 0, limit: int | None = None) -> list[ClientFacts]:
        """Return clients by id, from `offset` on."""
        query = select(ClientRow).order_by(ClientRow.client_id).offset(offset).limit(limit)
        return [_facts(row) for row in self._session.scalars(query)]

    def count(self) -> int:
        """Count all clients."""
        return self._session.scalar(select(func.count()).select_from(ClientRow)) or 0

    def lock(self, client_id: str, *, issued_at: float | None = None) -> None:
        """Let other units of work that lock the same client wait until this one ends.

        :raises RevokedToken: when the client that got a token `issued_at` is gone, also if another has its id now.
        """
        query = select(ClientRow.created_at).where(ClientRow.client_id == client_id).with_for_update()
        standing = TokenStanding(client_since=self._session.scalar(query), is_revoked=False)
        if issued_at is not None and standing.refuses(issued_at=issued_at):
            raise RevokedToken

    def delete(self, client_id: str) -> None:
        """Delete a client and its secrets.

        :raises ClientNotFound: when there is none of that id.
        """
        self.get(client_id)
        self._session.execute(delete(ClientRow).where(ClientRow.client_id == client_id))

    def add_secret(self, client_id: str, *, hint: str, digest: str, created_at: datetime) -> None:
        """Add a secret that does not expire; `digest` is its hash.

        :raises ClientNotFound: when the client was deleted meanwhile.
        """
        row = ClientSecretRow(client_id=client_id, hint=hint, secret_hash=digest, created_at=created_at)
        self._session.add(row)
        try:
            self._session.flush()
        except IntegrityError as err:
            raise ClientNotFound(client_id) from err

    def expire_secrets(self, client_id: str, at: datetime) -> None:
        """Let all secrets of a client end at `at`, unless they end before."""
        self._session.execute(
            update(ClientSecretRow)
            .where(ClientSecretRow.client_id == client_id)
            .where(or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > at))
            .values(expires_at=at)
        )

    def secret_hash(self, client_id: str, *, hint: str, now: datetime) -> str | None:
        """Return the hash of the client's live secret with that hint, if there is one."""
        return self._session.scalar(
            select(ClientSecretRow.secret_hash)
            .where(ClientSecretRow.client_id == client_id, ClientSecretRow.hint == hint)
            .where(or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > now))
        )

    def revoke(self, token_id: str, client_id: str, *, now: datetime, expires_at: datetime) -> None:
        """Refuse a token from now on. Revoking it again changes nothing."""
        self._session.merge(
            RevokedTokenRow(token_id=token_id, client_id=client_id, revoked_at=now, expires_at=expires_at)
        )
        self._session.flush()

    def standing(self, client_id: str, token_id: str) -> TokenStanding:
        """Return what makes a token good or bad, in one query."""
        is_revoked = select(RevokedTokenRow.token_id).where(RevokedTokenRow.token_id == token_id).exists()
        since = select(ClientRow.created_at).where(ClientRow.client_id == client_id).scalar_subquery()
        client_since, revoked = self._session.execute(select(since, is_revoked)).one()
        return TokenStanding(client_since=client_since, is_revoked=revoked)

    def purge_expired(self, now: datetime) -> int:
        """Delete secrets and revocations whose time is over, and say how many."""
        secrets = delete(ClientSecretRow).where(ClientSecretRow.expires_at <= now).returning(ClientSecretRow.id)
        tokens = delete(RevokedTokenRow).where(RevokedTokenRow.expires_at <= now).returning(RevokedTokenRow.token_id)
        return len(self._session.scalars(secrets).all()) + len(self._session.scalars(tokens).all())


def _facts(row: ClientRow) -> ClientFacts:
    return ClientFacts(
        client_id=row.client_id,
        description=row.description,
        scopes=frozenset(row.scopes),
        model_globs=tuple(row.model_globs),
        created_at=row.created_at,
        created_by=row.created_by,
    )
