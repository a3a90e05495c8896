"""Sessions of streams, which outlive their sockets: who holds one, what answers it, and how far it is; all in Redis."""

import enum
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec
import redis
from msgspec import Struct

from app.errors import SessionNotFound
from app.infra.redis import redis_errors, redis_refusals
from model_store.model_ref import ModelRef

TAKEN_CHANNEL: Final = "galley:sessions:taken"
"""Where it is told which session goes on at another socket: its id and the number of the socket that has it now."""

_PREFIX: Final = "galley:session:"
_SECRET_BYTES: Final = 24


class SessionFacts(Struct, frozen=True, kw_only=True):
    """What a session keeps for as long as it lasts: its client, its stream, and the version that answers it."""

    client_id: str
    stream: str
    model: str
    version: int
    variant: str | None = None
    revision: int | None = None
    is_dealt: bool = False
    subject: str = ""
    """Whom a route chose the version for, and by which revision; `is_dealt` says that the buckets chose."""
    secret_digest: bytes = b""

    @property
    def ref(self) -> ModelRef:
        """The version that answers it."""
        return ModelRef(self.model, self.version)


@dataclass(frozen=True, kw_only=True)
class StreamSession:
    """A session as one socket holds it. A later socket has a higher `epoch`, and then this one has lost it."""

    id: str
    facts: SessionFacts
    epoch: int
    last_seq: int
    resume_token: str
    keep_s: int
    """For how long it is remembered after its last event."""


class Hold(enum.Enum):
    """Whether a session is still its socket's."""

    HELD = enum.auto()
    TAKEN = enum.auto()
    """It goes on at another socket."""
    FORGOTTEN = enum.auto()
    """It ended elsewhere, or Redis lost it, or that this socket took it."""


Check = Callable[[SessionFacts], None]
"""Raises an error where a session may not go on."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(SessionFacts).decode


class StreamSessions:
    """Opens, resumes and ends sessions. Greenlets may share it; one that nobody holds is forgotten after `keep_s`.

    :raises RedisUnavailable: from all methods.
    """

    def __init__(self, client: redis.Redis, *, keep_s: int) -> None:
        self._client = client
        self._raise_mark = client.register_script(files("app.infra").joinpath("raise_mark.lua").read_text())
        self._end = client.register_script(files("app.infra").joinpath("end_session.lua").read_text())
        self._told: list[Callable[[str, int], None]] = []
        self.keep_s = keep_s

    def open(self, facts: SessionFacts) -> StreamSession:
        """Begin a session."""
        session_id, secret = secrets.token_hex(16), secrets.token_urlsafe(_SECRET_BYTES)
        facts = msgspec.structs.replace(facts, secret_digest=_digest(secret))
        with redis_errors(), self._client.pipeline() as trip:
            trip.set(_key(session_id), _encode(facts), ex=self.keep_s)
            trip.set(_key(session_id, "epoch"), 1, ex=self.keep_s)
            trip.execute()
        return self._held(session_id, facts, epoch=1, last_seq=0, resume_token=f"{session_id}.{secret}")

    def resume(self, token: str, *, client_id: str, stream: str, check: Check) -> StreamSession:
        """Go on with a session at another socket; whichever had it before hears that it lost it.

        It keeps the session where `check` raises.

        :raises SessionNotFound: when there is none of that token, it is another client's or stream's, or too old.
        """
        session_id, _, secret = token.partition(".")
        with redis_errors():
            found = self._client.get(_key(session_id)) if session_id.isalnum() and session_id.isascii() else None
        facts = _decode(found) if isinstance(found, bytes) else None
        if facts is None or not hmac.compare_digest(facts.secret_digest, _digest(secret)):
            raise SessionNotFound
        if (facts.client_id, facts.stream) != (client_id, stream):
            raise SessionNotFound

        check(facts)
        epoch, last_seq = self._take(session_id)
        return self._held(session_id, facts, epoch=epoch, last_seq=last_seq, resume_token=token)

    def keep(self, sessions: Sequence[StreamSession]) -> list[Hold]:
        """Remember sessions for `keep_s` more seconds, in one trip; say of each whether it is still its socket's."""
        with redis_errors(), self._client.pipeline(transaction=False) as trip:
            for session in sessions:
                trip.get(_key(session.id, "epoch"))
                for part in ("", "epoch", "seq"):
                    trip.expire(_key(session.id, part), self.keep_s)
            said = trip.execute()
        return [
            hold_of(session, int(epoch) if epoch is not None and is_there else None)
            for session, epoch, is_there in zip(sessions, said[::4], said[1::4], strict=True)
        ]

    def note_answered(self, session: StreamSession, seq: int) -> None:
        """Remember that a frame was answered which moved nothing."""
        with redis_refusals():
            self._raise_mark(keys=(mark_key(session.id),), args=(seq, self.keep_s))

    def end(self, session: StreamSession) -> None:
        """Forget a session, unless another socket has it: nobody resumes it."""
        keys = [_key(session.id, part) for part in ("epoch", "", "seq")]
        with redis_errors():
            self._end(keys=keys, args=(session.epoch,))

    def on_taken(self, hear: Callable[[str, int], None]) -> None:
        """Let `hear` be told of each session that goes on at another socket: its id, and that socket's number."""
        self._told.append(hear)

    def hear(self, message: bytes) -> None:
        """Take a message of TAKEN_CHANNEL."""
        session_id, _, epoch = message.decode().partition(" ")
        for hear in self._told:
            hear(session_id, int(epoch))

    def _held(
        self, session_id: str, facts: SessionFacts, *, epoch: int, last_seq: int, resume_token: str
    ) -> StreamSession:
        return StreamSession(
            id=session_id,
            facts=facts,
            epoch=epoch,
            last_seq=last_seq,
            resume_token=resume_token,
            keep_s=self.keep_s,
        )

    def _take(self, session_id: str) -> tuple[int, int]:
        """Return the number of the socket that has the session from now on, and the last seq answered."""
        with redis_errors(), self._client.pipeline() as trip:
            trip.incr(_key(session_id, "epoch"))
            for part in ("", "epoch", "seq"):
                trip.expire(_key(session_id, part), self.keep_s)
            trip.get(mark_key(session_id))
            epoch, *_, last_seq = trip.execute()
            self._client.publish(TAKEN_CHANNEL, f"{session_id} {epoch}")
        return int(epoch), int(last_seq or 0)


def hold_of(session: StreamSession, epoch: int | None) -> Hold:
    """Return whether a session is its socket's, by the number of the socket that has it, if it is there at all.

    A lower number is one that Redis fell back to when it lost what it knew.
    """
    if epoch == session.epoch:
        return Hold.HELD
    return Hold.TAKEN if epoch is not None and epoch > session.epoch else Hold.FORGOTTEN


def mark_key(session_id: str) -> str:
    """Return where the highest seq of a session that was answered is kept."""
    return _key(session_id, "seq")


def _key(session_id: str, part: str = "") -> str:
    return f"{_PREFIX}{session_id}:{part}" if part else f"{_PREFIX}{session_id}"


def _digest(secret: str) -> bytes:
    # The secret is as random as a key: no slow hash is needed to keep it from being guessed.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
