"""One WebSocket: whole text frames in, frames out in order, bounded both ways, closed with a reason.

flask-sock takes the connection over, simple-websocket shakes hands, wsproto reads and writes the frames. The reading
and writing loop is this one: simple-websocket's own reads without bound, and writes with `send`, which under gevent
leaves out what the kernel had no room for.
"""

import time
from collections import deque
from typing import Any, Final, NoReturn

import gevent
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from app.errors import InvalidFrame
from app.web.sockets.protocol import CloseCode
from app.web.sockets.wire import SocketWire, Wire

RECEIVED_AT_ONCE: Final = 16 * 1024
# Who does not read is not read from while so much waits for it, and is closed when that lasts.
MOST_WAITING_BYTES: Final = 64 * 1024
SLOW_READER_S: Final = 10.0
WAITING_STEP_S: Final = 0.05
FLUSHING_STEP_S: Final = 0.001
CLOSING_S: Final = 2.0
"""How long the other side may take to close, too."""
EVENTS_IN_A_ROW: Final = 32
"""After so many frames or pieces, even empty ones, other sockets get their turn, though more have come."""


class Closed(Exception):
    """The socket has ended; nothing can be said any more. `close_code` is None where the other side just went away."""

    def __init__(self, close_code: int | None) -> None:
        super().__init__(f"The socket was closed with {close_code}.")
        self.close_code = close_code


class Connection:
    """A WebSocket after its handshake. One greenlet receives; any may send, and none waits for the other side."""

    def __init__(self, wire: Wire, frames: Frames, *, largest_frame_bytes: int) -> None:
        self._wire = wire
        self._frames = frames
        self._largest = largest_frame_bytes
        self._message: list[str] = []
        self._message_bytes = 0
        self._outgoing: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_flushing = False
        self._is_broken = False
        self._events = 0
        self.heard_at = time.monotonic()
        """When bytes came last."""
        self.closed_at: float | None = None
        """When this side closed it."""
        self.close_code: int | None = None
        """With what it was closed, by whichever side."""

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._frames.state is ConnectionState.OPEN and not self._is_broken

    def receive(self) -> str:
        """Wait for the next text message.

        :raises InvalidFrame: for a binary message; the socket stays.
        :raises Closed: when the socket ended, or was ended for what came: too large (1009), no UTF-8 (1007), against
            the protocol (1002), or nothing was read for too long of what waits to be sent (1008).
        """
        self._give_turn()
        while self.is_open:
            message = self._next_message()
            if message is not None:
                return message
            self._wait_for_reader()
            self._read()
        raise Closed(self.close_code)

    def send(self, frame: str) -> None:
        """Send a text message behind those that wait; returns at once.

        :raises Closed: when the socket has ended.
        """
        if not self.is_open:
            raise Closed(self.close_code)

        self._put(self._frames.send(Message(data=frame)))

    def close(self, code: int, reason: str = "") -> None:
        """End the socket in order: what waits is sent first, then why. Closing it again does nothing."""
        if self.is_open:
            self.close_code, self.closed_at = code, time.monotonic()
            self._put(self._frames.send(CloseConnection(code, reason)))

    def cut(self) -> None:
        """End the socket at once, under whoever receives: the other side does not close, though it was told."""
        self._is_broken = True
        self._wire.cut()

    def end(self) -> None:
        """Wait a moment for the other side to close, too, and let the socket go."""
        with gevent.Timeout(CLOSING_S, False):
            while not self._is_broken and self._frames.state is not ConnectionState.CLOSED:
                self._discard()
            while self._is_flushing:
                gevent.sleep(FLUSHING_STEP_S)
        self._is_broken = True
        self._wire.close()

    def _next_message(self) -> str | None:
        for event in self._frames.events():
            if isinstance(event, TextMessage):
                if event.message_finished and not self._message:
                    # Nearly all are: one piece, within what is read at once.
                    self._check_size(len(event.data.encode()))
                    return event.data
                if event.data:
                    # Pieces of nothing, of which there may be any number, are not kept.
                    self._message.append(event.data)
                    self._message_bytes += len(event.data.encode())
                    self._check_size(self._message_bytes)
                if event.message_finished:
                    message, self._message, self._message_bytes = "".join(self._message), [], 0
                    return message
            else:
                self._obey(event)
            self._give_turn()
            if not self.is_open:
                # It was closed meanwhile: nothing more is taken from it, nor answered.
                raise Closed(self.close_code)
        return None

    def _give_turn(self) -> None:
        """Let other greenlets run now and then: a read may bring thousands of frames that need no answer."""
        self._events += 1
        if not self._events % EVENTS_IN_A_ROW:
            gevent.sleep(0)

    def _obey(self, event: Event) -> None:
        if isinstance(event, CloseConnection):
            self._be_closed(event)
        elif isinstance(event, Ping):
            self._put(self._frames.send(event.response()))
        elif isinstance(event, BytesMessage):
            self._message_bytes += len(event.data)
            self._check_size(self._message_bytes)
            if event.message_finished:
                self._message_bytes = 0
                raise InvalidFrame("Binary frames are not read; send JSON as text.")

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._largest:
            self.close(CloseCode.TOO_BIG, f"A frame may have {self._largest} bytes.")
            raise Closed(self.close_code)

    def _be_closed(self, event: CloseConnection) -> NoReturn:
        """End as the other side did, or as wsproto says of a frame that is none: 1007 for no UTF-8, else 1002."""
        self.close_code = self.close_code or event.code
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self._put(self._frames.send(CloseConnection(event.code, event.reason)))
        raise Closed(self.close_code)

    def _read(self) -> None:
        data = self._receive()
        self._frames.receive_data(data or None)

    def _receive(self) -> bytes:
        try:
            data = self._wire.recv(RECEIVED_AT_ONCE)
        except OSError as err:
            self._is_broken = True
            raise Closed(self.close_code) from err
        self.heard_at = time.monotonic()
        if len(data) == RECEIVED_AT_ONCE:
            # The next call would find more at once: who floods must not keep others from their turn.
            gevent.sleep(0)
        return data

    def _discard(self) -> None:
        """Read on after a close, only to learn that the other side closed, too."""
        try:
            # What was read last comes first: the other side's close may be in it.
            for _ in self._frames.events():
                self._give_turn()
            if self._frames.state is not ConnectionState.CLOSED:
                self._read()
        except (Closed, LocalProtocolError):
            self._is_broken = True

    def _put(self, data: bytes) -> None:
        """Let it go out when the hub is free next: with all that is sent until then, in one packet."""
        self._outgoing.append(data)
        self._waiting_bytes += len(data)
        if not self._is_flushing:
            self._is_flushing = True
            gevent.get_hub().loop.run_callback(self._flush_some)

    def _flush_some(self) -> None:
        """Send what goes at once. Called by the hub, which cannot wait."""
        data = self._take_outgoing()
        try:
            rest = data[self._wire.send_some(data) :]
        except OSError:
            self._is_broken, self._is_flushing = True, False
            return

        self._waiting_bytes -= len(data) - len(rest)
        if rest:
            gevent.spawn(self._flush, rest)
        else:
            self._is_flushing = False

    def _flush(self, data: bytes) -> None:
        """Send what waits, also what is added meanwhile, as fast as the other side reads."""
        try:
            while data:
                self._wire.sendall(data)
                self._waiting_bytes -= len(data)
                data = self._take_outgoing()
        except OSError:
            self._is_broken = True
        finally:
            self._is_flushing = False

    def _take_outgoing(self) -> bytes:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def _wait_for_reader(self) -> None:
        deadline = time.monotonic() + SLOW_READER_S
        while self._waiting_bytes > MOST_WAITING_BYTES and not self._is_broken:
            if time.monotonic() > deadline:
                self.close(CloseCode.POLICY, "Read what you are sent.")
                raise Closed(self.close_code)
            gevent.sleep(WAITING_STEP_S)


def connection_of(server: Any, *, largest_frame_bytes: int) -> Connection:
    """Return the connection of a simple-websocket server that was made with SERVER_OPTIONS."""
    return Connection(SocketWire(server.sock), server.ws.connection, largest_frame_bytes=largest_frame_bytes)
