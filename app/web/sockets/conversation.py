"""One socket from its hello to its end: who is there, how long it may last, and why it ends."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from app.errors import (
    ExpiredToken,
    GalleyError,
    InvalidFrame,
    OutOfCredits,
    RevokedToken,
    SessionNotFound,
    SessionTaken,
)
from app.services.stream_sessions import Hold
from app.services.tokens import Identity
from app.settings import Settings
from app.web.sockets.connection import CLOSING_S, Closed, Connection
from app.web.sockets.exchange import Exchange
from app.web.sockets.leaving import Leaving
from app.web.sockets.metrics import SESSIONS
from app.web.sockets.protocol import (
    PING,
    PONG,
    Bye,
    CloseCode,
    EventFrame,
    Frame,
    FrameReader,
    Hello,
    Ping,
    TextFrame,
    error_frame,
    ready_frame,
)
from app.web.sockets.reception import Binding, Guest, Reception
from app.web.sockets.streams import Stream

logger = logging.getLogger(__name__)

MOST_UNREADABLE: Final = 10
"""So many frames in a row that cannot be read end the socket."""
KEEP_EVERY_S: Final = 60.0
"""How often Redis is told that a socket still has its session and its place."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a conversation has from where it takes place."""

    settings: Settings
    reception: Reception
    open_exchange: Callable[[Stream, Guest, Callable[[str], None]], Exchange]


class Conversation:
    """Speaks with one client. One greenlet runs it; another looks after it now and then."""

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        circumstances: Circumstances,
        *,
        binding: Binding,
        identity: Identity | None = None,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._settings = circumstances.settings
        self._reception = circumstances.reception
        self._open_exchange = circumstances.open_exchange
        self._binding = binding
        self._identity = identity
        self._read = FrameReader(stream.work).read
        self._guest: Guest | None = None
        self._exchange: Exchange | None = None
        self._unreadable = 0
        self._opened_at = self._pinged_at = self._kept_at = time.monotonic()
        self._expired_at: float | None = None
        self._leaving = Leaving(self._settings.drain_s)
        self._is_greeting = False
        self._tell_received: Callable[[Guest], None] | None = None

    @property
    def guest(self) -> Guest | None:
        """Who is there, from its hello on."""
        return self._guest

    @property
    def events(self) -> int:
        """How many events were answered."""
        return self._exchange.events if self._exchange is not None else 0

    @property
    def close_code(self) -> int | None:
        """With what the socket was closed; None where the client just went away."""
        return self._connection.close_code

    def run(self) -> None:
        """Speak until the socket has ended."""
        try:
            while True:
                self._hear()
        except Closed as closed:
            logger.debug("%s", closed)
        except Exception:
            # The client is to hear of it before the socket goes, and nobody else to be harmed.
            logger.exception("a stream failed")
            self.fail()
        finally:
            self._let_go()

    def fail(self) -> None:
        """End the socket for a fault of ours."""
        self._connection.close(CloseCode.INTERNAL)

    def on_received(self, tell: Callable[[Guest], None]) -> None:
        """Let `tell` be called with who is there as soon as that is known; before anybody can take the session."""
        self._tell_received = tell
        if self._guest is not None:
            tell(self._guest)

    def leave(self) -> None:
        """Send the client to another socket as soon as all that was taken in is answered; nothing more is taken in.

        What takes too long is left open: the client resumes, and asks for it again.
        """
        self._leaving.hurry(time.monotonic())
        self._leave_when_idle()

    def lose(self, epoch: int) -> None:
        """End the socket if another one has its session: the one that took it by this number."""
        if self._guest is not None and epoch > self._guest.session.epoch:
            self._end_for(SessionTaken())

    def look_after(self, now: float) -> None:
        """Do what time brings, at a moment in monotonic seconds: ask whether the client is there, or end it."""
        connection, settings = self._connection, self._settings
        if connection.closed_at is not None:
            if now - connection.closed_at > CLOSING_S:
                connection.cut()
        elif self._leaving.is_late(now):
            connection.close(self._leaving.give_up(), "Not all is answered yet; resume the session.")
        elif self._guest is None:
            if not self._is_greeting and now - self._opened_at > settings.stream_hello_s:
                self._end_for(InvalidFrame(f"No hello came within {settings.stream_hello_s:g} s."))
        elif now - connection.heard_at > settings.stream_idle_s:
            connection.close(CloseCode.POLICY, "Nothing was heard of you for too long.")
        elif now - self._opened_at > settings.stream_max_age_s:
            self.leave()
        else:
            self._check_token(self._guest.identity, now)
            self._ping(now)

    def is_to_be_kept(self, now: float) -> bool:
        """Whether it is time to tell Redis that session and place are still held."""
        guest = self._guest
        return guest is not None and now - self._kept_at >= min(KEEP_EVERY_S, guest.session.keep_s / 3)

    def hear_kept(self, hold: Hold, now: float) -> None:
        """Hear what Redis, asked at a moment in monotonic seconds, says of who holds the session."""
        self._kept_at = now
        if hold is Hold.TAKEN:
            self._end_for(SessionTaken())
        elif hold is Hold.FORGOTTEN:
            # Nobody has it, and no number of it is known any more: the client is to begin another.
            self.leave()

    def _hear(self) -> None:
        try:
            self._obey(self._read(self._connection.receive()))
            self._unreadable = 0
        except OutOfCredits as err:
            self._end_for(err)
        except (InvalidFrame, SessionNotFound) as err:
            self._note_unreadable(err)

    def _obey(self, frame: Frame) -> None:
        if isinstance(frame, EventFrame | TextFrame):
            if self._exchange is None:
                raise InvalidFrame("Say hello first.")
            if self._leaving.code is None:
                self._exchange.take(frame)
        elif isinstance(frame, Ping):
            self._connection.send(PONG)
        elif isinstance(frame, Hello):
            self._greet(frame)
        elif isinstance(frame, Bye):
            self._leaving.be_done()
            self._leave_when_idle()

    def _greet(self, hello: Hello) -> None:
        self._is_greeting = True
        try:
            if self._guest is None:
                self._begin(hello)
            else:
                self._renew(hello, self._guest)
        except (InvalidFrame, SessionNotFound):
            raise
        except GalleyError as err:
            self._end_for(err)
        finally:
            self._is_greeting = False

    def _begin(self, hello: Hello) -> None:
        identity = self._identity
        if identity is None or hello.token is not None:
            identity = self._reception.identify(hello.token)
        guest = self._reception.receive(self._stream, hello, identity, self._binding)
        self._guest, self._exchange = guest, self._open_exchange(self._stream, guest, self._answer)
        SESSIONS.labels(self._stream.name, "begun" if hello.resume is None else "resumed").inc()
        if self._tell_received is not None:
            self._tell_received(guest)
        if hello.resume is not None and self._is_lost(guest):
            return

        self._say_ready(guest, self._exchange)

    def _is_lost(self, guest: Guest) -> bool:
        """Look whether another socket resumed the session, too, before news of it could reach this one."""
        [hold] = self._reception.sessions.keep([guest.session])
        self.hear_kept(hold, time.monotonic())
        return hold is not Hold.HELD

    def _renew(self, hello: Hello, guest: Guest) -> None:
        """Take a fresh token of the same client."""
        if hello.resume not in (None, guest.session.resume_token):
            raise InvalidFrame("This socket has its session; resume another one at another socket.")
        identity = self._reception.identify(hello.token)
        self._guest, self._expired_at = guest.renewed(identity), None
        assert self._exchange is not None
        self._say_ready(guest, self._exchange)

    def _say_ready(self, guest: Guest, exchange: Exchange) -> None:
        session = guest.session
        self._connection.send(
            ready_frame(
                session=session.id,
                resume=session.resume_token,
                last_seq=exchange.last_seq,
                credits=exchange.credits,
                model=orjson.Fragment(guest.answered_by),
            )
        )

    def _check_token(self, identity: Identity, now: float) -> None:
        if self._reception.is_revoked(identity):
            self._end_for(RevokedToken())
        elif self._expired_at is not None:
            if now - self._expired_at > self._settings.stream_hello_s:
                self._connection.close(CloseCode.POLICY, ExpiredToken().detail)
        elif identity.expires_at <= time.time():
            self._expired_at = now
            self._answer(error_frame(ExpiredToken()))

    def _ping(self, now: float) -> None:
        if now - max(self._connection.heard_at, self._pinged_at) > self._settings.stream_ping_s:
            self._pinged_at = now
            self._answer(PING)

    def _note_unreadable(self, error: GalleyError) -> None:
        self._unreadable += 1
        self._connection.send(error_frame(error))
        if self._unreadable >= MOST_UNREADABLE:
            self._connection.close(CloseCode.POLICY, f"{MOST_UNREADABLE} frames in a row could not be taken.")

    def _end_for(self, error: GalleyError) -> None:
        """Say what is wrong, and end the socket for it."""
        self._answer(error_frame(error))
        code = CloseCode.TRY_LATER if error.is_retryable else CloseCode.POLICY
        self._connection.close(code, error.detail)

    def _answer(self, frame: str) -> None:
        """Say something in a greenlet that is not the client's own: it may have gone, which the reader sees."""
        if self._connection.is_open:
            self._connection.send(frame)
        self._leave_when_idle()

    def _leave_when_idle(self) -> None:
        code = self._leaving.code
        if code is not None and (self._exchange is None or self._exchange.is_idle):
            self._connection.close(code)

    def _let_go(self) -> None:
        self._connection.end()
        if self._guest is not None:
            self._reception.see_off(self._guest, is_done=self._leaving.is_done)
