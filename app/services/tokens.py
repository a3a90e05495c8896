"""Access tokens: issued for client credentials, verified on each request, revoked before their time."""

import secrets
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

import redis
from cachetools import LRUCache

from app.db.repositories.clients import ClientFacts, ClientRepository, is_client_id
from app.db.session import Database
from app.errors import DatabaseUnavailable, ExpiredToken, InvalidClient, InvalidScope, InvalidToken, RevokedToken
from app.infra.clock import Clock
from app.services.audit import AuditLog
from app.services.client_secrets import hint_of, is_secret
from app.services.revocations import RevocationFeed
from app.services.scopes import scope_text
from app.services.token_codec import Claims, TokenCodec
from app.settings import Settings

# How long a verified token is trusted while revocations of other processes cannot be heard: they must be
# refused everywhere within a second.
DEAF_MEMORY_S: Final = 0.5
_MOST_REMEMBERED = 20_000


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who calls, and what it may do. The times of its token are in seconds since the epoch."""

    client_id: str
    scopes: frozenset[str]
    model_globs: tuple[str, ...]
    token_id: str
    issued_at: float
    expires_at: float

    def may_use(self, model_name: str) -> bool:
        """Say whether the client may use the model."""
        return any(fnmatchcase(model_name, glob) for glob in self.model_globs)


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A fresh token: the members of RFC 6749 §5.1."""

    access_token: str
    expires_in: int
    scope: str


@dataclass(frozen=True)
class _Remembered:
    """A token that was good at the monotonic time `checked_at`."""

    claims: Claims
    identity: Identity
    checked_at: float


class TokenService:
    """Issues and verifies tokens. One per process; threads and greenlets may share it.

    A verified token is trusted for `token_memory_s`, and for as long as SQL is away.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        codec: TokenCodec,
        *,
        redis_client: redis.Redis | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock or Clock()
        self._codec = codec
        self.revocations = RevocationFeed(redis_client, remember_s=settings.token_lifetime_s + 60, clock=self._clock)
        self._lock = threading.Lock()
        self._memory: LRUCache[str, _Remembered] = LRUCache(_MOST_REMEMBERED)
        self._seen_clients: LRUCache[str, bool] = LRUCache(_MOST_REMEMBERED)

    def start(self) -> None:
        """Begin to listen for revocations of other processes."""
        self.revocations.start()

    def stop(self) -> None:
        """Stop listening."""
        self.revocations.stop()

    def issue(self, client_id: str, secret: str, scope: str | None = None) -> IssuedToken:
        """Issue a token with the scopes asked for (separated by spaces), or with all the client has.

        :raises InvalidClient: when the id is unknown or the secret is wrong; both take the same time.
        :raises InvalidScope: when the client lacks a scope it asks for.
        """
        facts = self.authenticate(client_id, secret)
        granted = frozenset((scope or "").split()) or facts.scopes
        if not granted <= facts.scopes:
            raise InvalidScope(scope_text(granted - facts.scopes))

        return self._sign(facts, granted)

    def authenticate(self, client_id: str, secret: str) -> ClientFacts:
        """Return the client whose secret this is.

        :raises InvalidClient: when the id is unknown or the secret is wrong; both take the same time.
        """
        hint = hint_of(secret)
        facts, digest = self._candidate(client_id, hint) if hint and is_client_id(client_id) else (None, None)
        if not is_secret(secret, digest) or facts is None:
            raise InvalidClient

        return facts

    def verify(self, token: str) -> Identity:
        """Return who holds the token.

        :raises AccessError: InvalidToken, ExpiredToken or RevokedToken.
        :raises DatabaseUnavailable: when SQL is away and this process has not seen the client before.
        """
        with self._lock:
            remembered = self._memory.get(token)
        entry = remembered or self._decoded(token)
        self._refuse_spent(entry.claims)
        if remembered and self._is_fresh(remembered):
            return remembered.identity

        return self._check(token, entry, is_known=remembered is not None)

    def revoke(self, token: str, by: str | None = None) -> None:
        """Refuse a token from now on, in all processes. One that is no longer good is left as it is.

        `by` is the client that authenticated itself for this, if one did.

        :raises InvalidClient: when `by` is not the client that holds the token.
        """
        try:
            claims = self._codec.decode(token)
            self._refuse_spent(claims)
        except (InvalidToken, ExpiredToken, RevokedToken):
            return

        if by not in (None, claims.sub):
            raise InvalidClient

        with self._database.write() as session:
            expires_at = datetime.fromtimestamp(claims.exp, UTC)
            ClientRepository(session).revoke(claims.jti, claims.sub, now=self._clock.utcnow(), expires_at=expires_at)
            target = f"clients/{claims.sub}/tokens/{claims.jti}"
            AuditLog.record(session, action="token.revoke", target=target, by=claims.sub, details={})
        self.revocations.tell_token(claims.jti)

    def _candidate(self, client_id: str, hint: str) -> tuple[ClientFacts | None, str | None]:
        with self._database.read() as session:
            clients = ClientRepository(session)
            digest = clients.secret_hash(client_id, hint=hint, now=self._clock.utcnow())
            return (clients.get(client_id) if digest else None), digest

    def _sign(self, facts: ClientFacts, granted: frozenset[str]) -> IssuedToken:
        now = self._clock.now()
        lifetime_s = self._settings.token_lifetime_s
        claims = Claims(
            sub=facts.client_id,
            jti=secrets.token_hex(16),
            iat=now,
            exp=now + lifetime_s,
            scope=scope_text(granted),
            models=facts.model_globs,
        )
        return IssuedToken(access_token=self._codec.encode(claims), expires_in=lifetime_s, scope=claims.scope)

    def _decoded(self, token: str) -> _Remembered:
        claims = self._codec.decode(token)
        identity = Identity(
            client_id=claims.sub,
            scopes=frozenset(claims.scope.split()),
            model_globs=claims.models,
            token_id=claims.jti,
            issued_at=claims.iat,
            expires_at=claims.exp,
        )
        return _Remembered(claims, identity, checked_at=float("-inf"))

    def _refuse_spent(self, claims: Claims) -> None:
        if claims.exp <= self._clock.now():
            raise ExpiredToken
        if self.revocations.is_refused(token_id=claims.jti, client_id=claims.sub, issued_at=claims.iat):
            raise RevokedToken

    def _is_fresh(self, remembered: _Remembered) -> bool:
        memory_s = self._settings.token_memory_s
        if not self.revocations.covers(remembered.checked_at):
            memory_s = min(memory_s, DEAF_MEMORY_S)
        return self._clock.monotonic() - remembered.checked_at < memory_s

    def _check(self, token: str, entry: _Remembered, *, is_known: bool) -> Identity:
        checked = replace(entry, checked_at=self._clock.monotonic())
        if is_known:
            # Of many requests with this token only one asks SQL, also when SQL is away. A token that was never
            # checked here is not noted before: the others would take it for good on the strength of its signature.
            self._remember(token, checked)
        try:
            self._check_standing(checked.claims)
        except BaseException:
            # Whatever ended the check, also a greenlet killed in it: nothing was found out.
            self._forget(token)
            raise

        self._remember(token, checked)
        return checked.identity

    def _check_standing(self, claims: Claims) -> None:
        try:
            with self._database.read() as session:
                standing = ClientRepository(session).standing(claims.sub, claims.jti)
        except DatabaseUnavailable:
            if claims.sub in self._seen_clients:
                return
            raise

        self._note_client(claims.sub, exists=standing.client_since is not None)
        if standing.refuses(issued_at=claims.iat):
            raise RevokedToken

    def _note_client(self, client_id: str, *, exists: bool) -> None:
        with self._lock:
            if exists:
                self._seen_clients[client_id] = True
            else:
                self._seen_clients.pop(client_id, None)

    def _remember(self, token: str, entry: _Remembered) -> None:
        with self._lock:
            self._memory[token] = entry

    def _forget(self, token: str) -> None:
        with self._lock:
            self._memory.pop(token, None)
