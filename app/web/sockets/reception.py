"""What happens at hello: who comes is identified, gets a place, and a session whose version is chosen once."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from app.errors import (
    HeavyModel,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    ModelNotAllowed,
    RedisUnavailable,
    StatelessModel,
    WrongTask,
)
from app.scenarios.outcomes import write_answered_by
from app.services.model_catalog import ModelCatalog
from app.services.routing import Resolved, Router
from app.services.scopes import Scope
from app.services.socket_places import SocketPlaces
from app.services.stream_sessions import SessionFacts, StreamSession, StreamSessions
from app.services.tokens import Identity, TokenService
from app.settings import Settings
from app.web.sockets.protocol import Hello
from app.web.sockets.streams import Stream

logger = logging.getLogger(__name__)

SCOPE: Final = Scope.INFER


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What the client asked for before its hello: a model and a version of it, where it named any, and for whom."""

    model: str | None = None
    version: str | None = None
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A client at a socket, with its place and its session."""

    identity: Identity
    place: str
    session: StreamSession

    @property
    def answered_by(self) -> bytes:
        """What answers the session, as JSON."""
        facts = self.session.facts
        return write_answered_by(facts.model, facts.version, facts.variant)

    def renewed(self, identity: Identity) -> "Guest":
        """Return the guest with another token of its client.

        :raises InvalidToken: when it is another client's.
        :raises ModelNotAllowed: when the client may no longer use what answers it.
        """
        if identity.client_id != self.identity.client_id:
            raise InvalidToken
        if not identity.may_use(self.session.facts.model):
            raise ModelNotAllowed(self.session.facts.model)

        return replace(self, identity=identity)


@dataclass(frozen=True, kw_only=True)
class Reception:
    """Receives clients; one per web worker.

    :raises AccessError: from `identify` and `receive`, when the token is not good enough.
    :raises UnavailableError: from both, when SQL or Redis are away, or the client has too many sockets.
    """

    settings: Settings
    tokens: TokenService
    router: Router
    catalog: ModelCatalog
    sessions: StreamSessions
    places: SocketPlaces

    def identify(self, token: str | None) -> Identity:
        """Return who has a token that may open streams."""
        if token is None:
            raise MissingToken

        identity = self.tokens.verify(token)
        if SCOPE not in identity.scopes:
            raise InsufficientScope(SCOPE)
        return identity

    def receive(self, stream: Stream, hello: Hello, identity: Identity, binding: Binding) -> Guest:
        """Give a client a place and its session, a new one or the one that it resumes.

        :raises NotFoundError: when there is no such session, model or version.
        :raises ConflictError: when the model cannot answer the stream.
        """
        place = self.places.take(identity.client_id)
        try:
            session = self._session(stream, hello.resume, identity, binding)
        except BaseException:
            self.places.leave(identity.client_id, place)
            raise

        return Guest(identity=identity, place=place, session=session)

    def see_off(self, guest: Guest, *, is_done: bool) -> None:
        """Let go of the place, and of the session if its client is done and no other socket has it."""
        try:
            self.places.leave(guest.identity.client_id, guest.place)
            if is_done:
                self.sessions.end(guest.session)
        except RedisUnavailable as err:
            # Both are forgotten by themselves, later.
            logger.warning("a session could not be put away: %s", err.detail)

    def is_revoked(self, identity: Identity) -> bool:
        """Say whether a token was revoked, or its client deleted, since it was looked at; asks nobody."""
        return self.tokens.revocations.is_refused(
            token_id=identity.token_id, client_id=identity.client_id, issued_at=identity.issued_at
        )

    def _session(self, stream: Stream, token: str | None, identity: Identity, binding: Binding) -> StreamSession:
        if token is not None:
            return self._resumed(stream, token, identity)

        name = binding.model or stream.model(self.settings)
        if not identity.may_use(name):
            raise ModelNotAllowed(name)
        subject = binding.subject or identity.client_id
        resolved = self.router.resolve(name, binding.version, subject=subject, client_id=identity.client_id)
        self._check_fit(stream, resolved)
        facts = SessionFacts(
            client_id=identity.client_id,
            stream=stream.name,
            model=name,
            version=resolved.ref.version,
            variant=resolved.variant,
            revision=resolved.revision,
            is_dealt=resolved.is_dealt,
            subject=subject,
        )
        return self.sessions.open(facts)

    def _resumed(self, stream: Stream, token: str, identity: Identity) -> StreamSession:
        def check(facts: SessionFacts) -> None:
            """Whoever has the session keeps it where this client could not go on with it."""
            if not identity.may_use(facts.model):
                raise ModelNotAllowed(facts.model)
            # It may have been deleted since, or unloaded.
            self.router.resolve(facts.model, str(facts.version))

        return self.sessions.resume(token, client_id=identity.client_id, stream=stream.name, check=check)

    def _check_fit(self, stream: Stream, resolved: Resolved) -> None:
        ref, facts = resolved.ref, resolved.facts
        if facts.task != stream.task:
            raise WrongTask(ref.name, facts.task, stream.task)
        if facts.execution == "heavy":
            raise HeavyModel(ref.name)
        if not self.catalog.manifest(ref).state:
            raise StatelessModel(ref.name, ref.version)
