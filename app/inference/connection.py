"""One socket to one runner: calls go out, answers come back in any order, a dead runner is noticed at once."""

import logging
import struct
import time
from collections.abc import Sequence
from typing import Any

import gevent
import msgspec
import zmq.green as zmq
from gevent.event import AsyncResult
from msgspec import Struct, field

from app.errors import DeadlineExceeded, Draining, RunnerLost
from app.inference.messages import InferReply, InferRequest, Refusal, Row, decode_reply, encode
from app.inference.outlook import Holder, Outlook

logger = logging.getLogger(__name__)

# An address is never used by a second runner, so each of these is final.
LOSSES = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED
# NOTE: in place of "never": with -1, libzmq throws away the answers that have arrived when a connection ends.
NO_RECONNECT_MS = 24 * 3600 * 1000
# Larger frames are handed over as they lie in memory, there and back: to copy 64 MB holds the hub for 50 ms.
COPIED_BYTES = 2**20
# How long until the controller has a killed runner's successor READY, as a rule.
RESTART_S = 2.0


class Reply(Struct, frozen=True):
    """What a runner answered: the header, and one frame per row behind an `InferReply`; a large one is a view."""

    header: InferReply | Refusal
    rows: list[bytes | memoryview]


class _Pending(Struct, frozen=True):
    """A call whose answer is awaited, and whose rows those are."""

    holder: Holder
    rows: int
    result: Any = field(default_factory=AsyncResult)


class RunnerConnection:
    """A DEALER socket and the two greenlets that serve it.

    Belongs to one gevent hub; any number of its greenlets may call at once.
    """

    def __init__(self, context: Any, address: str) -> None:
        self.address = address
        self.is_lost = False
        self.is_draining = False
        self.has_connected = False
        self.outlook = Outlook()
        self._pending: dict[int, _Pending] = {}
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.copy_threshold = COPIED_BYTES
        self._socket.reconnect_ivl = NO_RECONNECT_MS
        self._monitor = self._socket.get_monitor_socket(LOSSES | zmq.EVENT_CONNECTED, f"inproc://monitor-{id(self)}")
        self._socket.connect(address)
        self._greenlets = [gevent.spawn(self._receive), gevent.spawn(self._watch)]

    @property
    def is_usable(self) -> bool:
        """Whether new requests may be sent."""
        return not (self.is_lost or self.is_draining)

    @property
    def rows_in_flight(self) -> int:
        """Rows that were sent and not answered yet."""
        return self.outlook.rows_in_flight

    def call(self, request: InferRequest, rows: Sequence[Row]) -> Reply:
        """Send a request and wait for its answer until the request's deadline.

        :raises RunnerLost: when the runner dies first.
        :raises Draining: when the runner ends in good order, and had refused other requests.
        :raises DeadlineExceeded: when the deadline passes first; a late answer is dropped.
        """
        self._check_alive()
        started = time.monotonic()
        result = self._begin(request, len(rows)).result
        try:
            self._send(request, rows)
            if not result.ready() and result.wait(max(0.0, request.deadline - started)) is None:
                self._check_alive()
                raise DeadlineExceeded(max(0.0, round(request.deadline - started, 2)))
            reply: Reply = result.get()
            return reply
        finally:
            self._end(request.call_id)

    def close(self) -> None:
        """Close the socket; calls still waiting raise `RunnerLost`."""
        self._lose()
        gevent.killall(self._greenlets)
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    def _begin(self, request: InferRequest, rows: int) -> _Pending:
        pending = self._pending[request.call_id] = _Pending((request.client_id, request.lane), rows)
        self.outlook.sent(pending.holder, rows)
        return pending

    def _end(self, call_id: int) -> _Pending | None:
        pending = self._pending.pop(call_id, None)
        if pending is not None:
            self.outlook.ended(pending.holder, pending.rows)
        return pending

    def _send(self, request: InferRequest, rows: Sequence[Row]) -> None:
        try:
            # Without waiting: a greenlet switch between two frames would mix up two requests.
            self._socket.send_multipart([encode(request), *rows], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as err:
            raise self._loss() from err

    def _receive(self) -> None:
        try:
            while True:
                self._take(self._socket.recv_multipart(copy=False))
        except Exception:
            # Nobody would hear of answers any more, and every caller wait in vain: another connection takes over.
            logger.exception("what %s answers cannot be received", self.address)
            self._lose()

    def _take(self, frames: list[Any]) -> None:
        try:
            header = decode_reply(frames[0].buffer)
        except msgspec.MsgspecError as err:
            logger.warning("%s sent an answer that cannot be read: %s", self.address, err)
            return

        if not isinstance(header, InferReply | Refusal):
            return

        pending = self._end(header.call_id)
        if pending is not None:
            pending.result.set(Reply(header, [_content(frame) for frame in frames[1:]]))
        if header.load is not None:
            self.outlook.told(header.load, time.monotonic())

    def _watch(self) -> None:
        while not self.is_lost:
            (event,) = struct.unpack_from("=H", self._monitor.recv_multipart()[0])
            if event == zmq.EVENT_CONNECTED:
                self.has_connected = True
            elif event & LOSSES:
                self._take_rest()
                self._lose()

    def _take_rest(self) -> None:
        """Read the answers a runner gave before it ended: its end may be noticed before they are."""
        while True:
            try:
                self._take(self._socket.recv_multipart(zmq.NOBLOCK, copy=False))
            except zmq.Again:
                return

    def _lose(self) -> None:
        self.is_lost = True
        for pending in self._pending.values():
            if not pending.result.ready():
                pending.result.set_exception(self._loss())

    def _check_alive(self) -> None:
        if self.is_lost:
            raise self._loss()

    def _loss(self) -> RunnerLost | Draining:
        if self.is_draining:
            # It has answered all it held before it ended: what it did not answer, it never began.
            return Draining("The process that runs the model is ending.", retry_after_s=RESTART_S)

        return RunnerLost("The process that ran the model ended before it answered.", retry_after_s=RESTART_S)


def _content(frame: Any) -> bytes | memoryview:
    """Return what is in a frame: a copy that lets the frame go, or a view that keeps it."""
    content: bytes | memoryview = frame.bytes if len(frame) <= COPIED_BYTES else frame.buffer
    return content
