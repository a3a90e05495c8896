"""Conversations over a wire in memory: a test says what the client sends, and sees what it hears, down to the close."""

import json
from collections import deque
from typing import Any, Final

import gevent
from gevent.queue import Queue
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, Event, Message, TextMessage

from app.services.tokens import Identity
from app.web.limits import Limits
from app.web.sockets.connection import Connection
from app.web.sockets.conversation import Circumstances, Conversation
from app.web.sockets.exchange import Exchange, Office
from app.web.sockets.journal import Journal
from app.web.sockets.reception import Binding, Guest
from app.web.sockets.streams import FRAUD, Stream
from tests.factories.lobbies import Lobby, write_token
from tests.factories.payments import MEMBERS
from tests.factories.streams import CREDITS, HeldCalls, make_limits, make_logs

PATIENCE_S: Final = 10.0


class MemoryWire:
    """A wire to a client in this process, which always reads."""

    def __init__(self, caller: "Caller") -> None:
        self._caller = caller
        self._incoming: Queue[bytes] = Queue()
        self.is_cut = False
        self.is_closed = False

    def feed(self, data: bytes) -> None:
        """Let these bytes be received; none are the end."""
        self._incoming.put(data)

    def recv(self, _size: int, /) -> bytes:
        """Wait for bytes."""
        data: bytes = self._incoming.get()
        return data

    def send_some(self, data: bytes, /) -> int:
        """Hand bytes to the client."""
        self._caller.receive(data)
        return len(data)

    def sendall(self, data: bytes, /) -> None:
        """Hand bytes to the client."""
        self._caller.receive(data)

    def cut(self) -> None:
        """End it under its reader."""
        self.is_cut = True
        self.feed(b"")

    def close(self) -> None:
        """Let it go."""
        self.is_closed = True


class Caller:
    """The client's end of a socket."""

    def __init__(self) -> None:
        self._frames = Frames(ConnectionType.CLIENT)
        self._heard: deque[dict[str, Any]] = deque()
        self.wire = MemoryWire(self)
        self.close_code: int | None = None
        self.reason = ""
        self.closes_too = True
        """Whether it closes when the server does."""

    def say(self, kind: str, **members: Any) -> None:
        """Send a frame."""
        self.send(Message(json.dumps({"type": kind, **members})))

    def send(self, *events: Event) -> None:
        """Send what is none, or many at once."""
        self.wire.feed(b"".join(self._frames.send(event) for event in events))

    def pay(self, *seqs: int) -> None:
        """Send payments."""
        for seq in seqs:
            self.say("event", seq=seq, event={**MEMBERS, "event_id": f"e-{seq}"})

    def hear(self) -> dict[str, Any]:
        """Wait for the next frame."""
        wait(lambda: self._heard)
        return self._heard.popleft()

    def hears_nothing(self) -> bool:
        """Say whether the server has nothing to say, nor closes."""
        gevent.idle()
        return not self._heard and self.close_code is None

    def closed(self) -> int:
        """Wait for the close, and return its code."""
        wait(lambda: self.close_code)
        assert not self._heard, f"There was more to hear: {list(self._heard)}"
        assert self.close_code is not None
        return self.close_code

    def hang_up(self) -> None:
        """Go away without a word."""
        self.wire.feed(b"")

    def receive(self, data: bytes) -> None:
        """Take bytes of the server's."""
        self._frames.receive_data(data)
        for event in self._frames.events():
            if isinstance(event, TextMessage):
                self._heard.append(json.loads(event.data))
            elif isinstance(event, CloseConnection):
                self.close_code, self.reason = event.code, event.reason or ""
                if self.closes_too:
                    self.wire.feed(self._frames.send(event.response()))


class Talk(Caller):
    """A client, and the conversation with it, which runs in a greenlet of its own."""

    conversation: Conversation
    greenlet: gevent.Greenlet

    def greet(self, **members: Any) -> dict[str, Any]:
        """Say hello as `shop`, and hear what comes of it."""
        self.say("hello", **{"token": write_token(), **members})
        return self.hear()

    def is_over(self) -> bool:
        """Wait for the end of the conversation, and say whether it came, in order and with the wire let go."""
        self.greenlet.join(PATIENCE_S)
        return bool(self.greenlet.successful() and self.wire.is_closed)


class Parlour:
    """Where conversations take place: a lobby, and held calls in place of runners."""

    def __init__(self, lobby: Lobby, limits: Limits | None = None) -> None:
        self.lobby = lobby
        self.calls = HeldCalls()
        self._office = Office(
            calls=self.calls, limits=limits or make_limits(), sessions=lobby.sessions, credits=CREDITS
        )
        self._talks: list[Talk] = []

    def talk(self, stream: Stream = FRAUD, *, binding: Binding | None = None, identity: Identity | None = None) -> Talk:
        """Begin a conversation."""
        lobby, talk = self.lobby, Talk()
        circumstances = Circumstances(
            settings=lobby.settings, reception=lobby.reception, open_exchange=self._open_exchange
        )
        connection = Connection(talk.wire, Frames(ConnectionType.SERVER), largest_frame_bytes=2**16)
        talk.conversation = Conversation(
            connection, stream, circumstances, binding=binding or Binding(), identity=identity
        )
        talk.greenlet = gevent.spawn(talk.conversation.run)
        self._talks.append(talk)
        return talk

    def close(self) -> None:
        """End all conversations."""
        for talk in self._talks:
            talk.hang_up()
        gevent.joinall([talk.greenlet for talk in self._talks], timeout=PATIENCE_S, raise_error=True)

    def _open_exchange(self, stream: Stream, guest: Guest, say: Any) -> Exchange:
        journal = Journal(guest.session, *make_logs())
        return Exchange(stream, guest.session, self._office, answered_by=guest.answered_by, journal=journal, say=say)


def wait(condition: Any) -> None:
    """Let other greenlets run until the condition is true."""
    with gevent.Timeout(PATIENCE_S):
        while not condition():
            gevent.sleep(0)
